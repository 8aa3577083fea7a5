package projections

import (
	"daybook/domain/picture"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// pictured returns the row's form of a picture.
func pictured(p picture.Picture) readmodels.Pictured {
	return readmodels.Pictured{Picture: table.Ref(p.Large), SmallPicture: table.Ref(p.Small)}
}
