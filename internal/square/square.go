// Package square makes square pictures of what people upload, and nothing else of it: no metadata, no second image, no trailing data.
package square

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/draw"
	_ "image/gif" // what is read
	"image/jpeg"
	"image/png"

	scale "golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // what is read
)

// Bounds of what is read: MaxBytes as sent, and MaxPixels in the image.
const (
	MaxBytes  = 5 << 20
	MaxPixels = 16 << 20
)

// Sizes of what is made, in pixels along each side.
const (
	Large = 512
	Small = 64
)

// Types are the media types that are read.
var Types = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// Reasons why an image is not read.
var (
	ErrNoImage  = errors.New("it is no PNG, JPEG, GIF or WebP image, or is damaged")
	ErrPixels   = errors.New("the image has too many pixels")
	ErrAnimated = errors.New("the image is an animated WebP")
)

// maxScans is how often a JPEG may go over its pixels. Progressive ones do so some ten times; one made to keep a reader busy could do so a
// hundred thousand times.
const maxScans = 100

// slots are the images that can be decoded at the same time, since each takes as much memory as its pixels.
var slots = make(chan struct{}, 2)

// Make returns the middle of an image, upright, in both sizes: as JPEG, or as PNG where it is transparent. Of a GIF, it is the first
// frame. Two are made at the same time; others wait. The error can be one of the above, or the context's.
func Make(ctx context.Context, data []byte) (large, small []byte, err error) {
	if animated(data) {
		return nil, nil, ErrAnimated
	}
	c, kind, err := image.DecodeConfig(bytes.NewReader(data))
	switch {
	case err != nil || c.Width <= 0 || c.Height <= 0:
		return nil, nil, ErrNoImage
	case c.Width > MaxPixels/c.Height:
		return nil, nil, ErrPixels
	}
	if kind == "jpeg" && bytes.Count(data, []byte{0xff, 0xda}) > maxScans {
		return nil, nil, ErrNoImage
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	from, _, err := image.Decode(bytes.NewReader(data))
	if err != nil || from.Bounds().Empty() {
		return nil, nil, ErrNoImage
	}
	full := turned(scaled(from, middle(from.Bounds()), Large), orientation(kind, data))
	if large, err = encoded(full); err == nil {
		small, err = encoded(scaled(full, full.Rect, Small))
	}
	return large, small, err
}

// middle returns the largest square in the middle of a rectangle.
func middle(r image.Rectangle) image.Rectangle {
	side := min(r.Dx(), r.Dy())
	x, y := r.Min.X+(r.Dx()-side)/2, r.Min.Y+(r.Dy()-side)/2
	return image.Rect(x, y, x+side, y+side)
}

func scaled(from image.Image, part image.Rectangle, side int) *image.NRGBA {
	to := image.NewNRGBA(image.Rect(0, 0, side, side))
	scale.CatmullRom.Scale(to, to.Rect, from, part, draw.Src, nil)
	return to
}

func encoded(m *image.NRGBA) ([]byte, error) {
	var out bytes.Buffer
	if m.Opaque() {
		err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 88})
		return out.Bytes(), err
	}
	err := png.Encode(&out, m)
	return out.Bytes(), err
}

// turned returns a square turned and mirrored as an EXIF orientation says, so that it is upright.
func turned(m *image.NRGBA, orientation int) *image.NRGBA {
	last := m.Rect.Dx() - 1
	from := map[int]func(x, y int) (int, int){ // the place that is shown at x, y
		2: func(x, y int) (int, int) { return last - x, y },
		3: func(x, y int) (int, int) { return last - x, last - y },
		4: func(x, y int) (int, int) { return x, last - y },
		5: func(x, y int) (int, int) { return y, x },
		6: func(x, y int) (int, int) { return y, last - x },
		7: func(x, y int) (int, int) { return last - y, last - x },
		8: func(x, y int) (int, int) { return last - y, x },
	}[orientation]
	if from == nil {
		return m
	}
	to := image.NewNRGBA(m.Rect)
	for y := range last + 1 {
		for x := range last + 1 {
			to.SetNRGBA(x, y, m.NRGBAAt(from(x, y)))
		}
	}
	return to
}
