package readmodels

import (
	"github.com/google/uuid"

	"daybook/readmodels/table"
)

// Pictured is the picture of a thing, in two sizes. The vault keeps it.
type Pictured struct {
	Picture      table.Ref `db:"picture_id" json:"picture_id" doc:"The picture at /avatar, or null. Another picture has another id"`
	SmallPicture table.Ref `db:"small_picture_id" json:"-" doc:"The picture in the small size, or null"`
}

// Pictures returns the ids under which the vault keeps the picture; nil ids: there is none.
func (p Pictured) Pictures() (large, small uuid.UUID) {
	return uuid.UUID(p.Picture), uuid.UUID(p.SmallPicture)
}
