module daybook/tools

go 1.26.0
