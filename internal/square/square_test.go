package square

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"slices"
	"testing"
)

var (
	red, green, blue, white = color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 255, 0, 255}, color.NRGBA{0, 0, 255, 255}, color.NRGBA{255, 255, 255, 255}
	clear                   = color.NRGBA{}
)

// quarters returns an image whose quarters have colours: above from left to right, then below. Beside and beyond its middle it is black.
func quarters(wide, high int, colours [4]color.NRGBA) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, wide, high))
	part := middle(m.Rect)
	for y := range high {
		for x := range wide {
			c := color.NRGBA{A: 255}
			if (image.Point{x, y}).In(part) {
				c = colours[(x-part.Min.X)*2/part.Dx()+(y-part.Min.Y)*2/part.Dy()*2]
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

// seen returns the colours of an image's quarters.
func seen(t *testing.T, data []byte, side int) (colours [4]color.NRGBA, kind string) {
	t.Helper()
	m, kind, err := image.Decode(bytes.NewReader(data))
	if err != nil || m.Bounds() != image.Rect(0, 0, side, side) {
		t.Fatalf("%v, %v", m.Bounds(), err)
	}
	for i := range colours {
		c := color.NRGBAModel.Convert(m.At(side/4+i%2*side/2, side/4+i/2*side/2)).(color.NRGBA)
		for _, known := range []color.NRGBA{red, green, blue, white, clear} {
			near := func(a, b uint8) bool { return max(a, b)-min(a, b) < 16 }
			if near(c.R, known.R) && near(c.G, known.G) && near(c.B, known.B) && near(c.A, known.A) || c.A == 0 && known.A == 0 {
				c = known
			}
		}
		colours[i] = c
	}
	return colours, kind
}

func encode(t testing.TB, kind string, m image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	var err error
	switch kind {
	case "png":
		err = png.Encode(&out, m)
	case "jpeg":
		err = jpeg.Encode(&out, m, &jpeg.Options{Quality: 95})
	case "gif":
		err = gif.Encode(&out, m, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestMake(t *testing.T) {
	colours := [4]color.NRGBA{red, green, blue, white}
	for _, kind := range []string{"png", "jpeg", "gif"} {
		for _, size := range []image.Point{{640, 480}, {480, 640}, {40, 40}, {1, 1}} {
			given := colours
			if size.X == 1 {
				given = [4]color.NRGBA{red, red, red, red}
			}
			large, small, err := Make(t.Context(), encode(t, kind, quarters(size.X, size.Y, given)))
			if err != nil {
				t.Fatalf("%s of %v: %v", kind, size, err)
			}
			for side, data := range map[int][]byte{Large: large, Small: small} {
				if got, as := seen(t, data, side); got != given || as != "jpeg" {
					t.Errorf("%s of %v shows %v as %s", kind, size, got, as)
				}
			}
		}
	}
	large, _, err := Make(t.Context(), encode(t, "png", quarters(100, 200, [4]color.NRGBA{red, clear, blue, white})))
	if err != nil {
		t.Fatal(err)
	}
	if got, as := seen(t, large, Large); got != [4]color.NRGBA{red, clear, blue, white} || as != "png" {
		t.Errorf("a transparent one shows %v as %s", got, as)
	}
}

// TestFirstFrame makes a picture of a GIF that moves.
func TestFirstFrame(t *testing.T) {
	frame := func(c color.Color) *image.Paletted {
		return image.NewPaletted(image.Rect(0, 0, 20, 20), color.Palette{c})
	}
	var out bytes.Buffer
	if err := gif.EncodeAll(&out, &gif.GIF{Image: []*image.Paletted{frame(green), frame(red)}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	large, _, err := Make(t.Context(), out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := seen(t, large, Large); got[0] != green {
		t.Errorf("it shows %v", got)
	}
}

// tiff returns EXIF metadata with an orientation.
func tiff(order binary.AppendByteOrder, orientation uint16) []byte {
	data := []byte("II*\x00")
	if order.AppendUint16(nil, 1)[0] == 0 {
		data = []byte("MM\x00*")
	}
	data = order.AppendUint32(data, 8)
	data = order.AppendUint16(data, 2)
	for _, entry := range [][3]uint16{{0x0100, 3, 40}, {0x0112, 3, orientation}} {
		data = order.AppendUint16(order.AppendUint16(data, entry[0]), entry[1])
		data = order.AppendUint16(order.AppendUint32(data, 1), entry[2])
		data = append(data, 0, 0)
	}
	return order.AppendUint32(data, 0)
}

// withEXIF adds metadata to an image.
func withEXIF(kind string, data, exif []byte) []byte {
	switch kind {
	case "jpeg":
		exif = append([]byte("Exif\x00\x00"), exif...)
		segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(exif)+2))
		return slices.Concat(data[:2], segment, exif, data[2:])
	case "png":
		const header = 8 + 12 + 13
		chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(exif))), "eXIf"...)
		return slices.Concat(data[:header], chunk, exif, crc(append([]byte("eXIf"), exif...)), data[header:])
	}
	return data
}

func crc(data []byte) []byte { return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(data)) }

func TestOrientation(t *testing.T) {
	// What each orientation stores of an image that is red and green above, and blue and white below.
	stored := map[uint16][4]color.NRGBA{
		1: {red, green, blue, white}, 2: {green, red, white, blue}, 3: {white, blue, green, red}, 4: {blue, white, red, green},
		5: {red, blue, green, white}, 6: {green, white, red, blue}, 7: {white, green, blue, red}, 8: {blue, red, white, green},
		0: {red, green, blue, white}, 9: {red, green, blue, white},
	}
	for orientation, colours := range stored {
		for _, kind := range []string{"jpeg", "png"} {
			for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
				data := withEXIF(kind, encode(t, kind, quarters(64, 48, colours)), tiff(order, orientation))
				large, small, err := Make(t.Context(), data)
				if err != nil {
					t.Fatal(err)
				}
				for side, data := range map[int][]byte{Large: large, Small: small} {
					if got, _ := seen(t, data, side); got != [4]color.NRGBA{red, green, blue, white} {
						t.Errorf("%s of orientation %d shows %v", kind, orientation, got)
					}
					if bytes.Contains(data, []byte("Exif")) || bytes.Contains(data, []byte("eXIf")) {
						t.Errorf("%s of orientation %d has metadata", kind, orientation)
					}
				}
			}
		}
	}
}

func TestRefused(t *testing.T) {
	whole := encode(t, "png", quarters(64, 64, [4]color.NRGBA{red, green, blue, white}))
	busy := withEXIF("jpeg", encode(t, "jpeg", quarters(8, 8, [4]color.NRGBA{red, green, blue, white})), bytes.Repeat([]byte{0xff, 0xda}, maxScans))
	huge := slices.Clone(whole)
	binary.BigEndian.PutUint32(huge[16:], 100_000)
	binary.BigEndian.PutUint32(huge[20:], 100_000)
	copy(huge[29:], crc(huge[12:29]))
	for name, is := range map[string]struct {
		data []byte
		want error
	}{
		"nothing": {nil, ErrNoImage}, "a text": {[]byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), ErrNoImage}, "a half": {whole[:len(whole)/2], ErrNoImage},
		"a head": {whole[:40], ErrNoImage}, "a huge one": {huge, ErrPixels}, "one of many scans": {busy, ErrNoImage}, "an animation": {animation, ErrAnimated},
	} {
		if _, _, err := Make(t.Context(), is.data); !errors.Is(err, is.want) {
			t.Errorf("%s: %v, want %v", name, err, is.want)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for range cap(slots) {
		slots <- struct{}{}
		defer func() { <-slots }()
	}
	if _, _, err := Make(ended, whole); !errors.Is(err, context.Canceled) {
		t.Errorf("without a free slot: %v", err)
	}
}

// animation is the beginning of a WebP that says that it is animated.
var animation = []byte("RIFF\x20\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x01\x00\x00")

// still is a WebP of one red pixel.
var still = []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00")

func TestWebP(t *testing.T) {
	large, small, err := Make(t.Context(), still)
	if err != nil {
		t.Fatal(err)
	}
	seen(t, large, Large)
	seen(t, small, Small)
	exif := tiff(binary.LittleEndian, 6)
	chunk := append(binary.LittleEndian.AppendUint32([]byte("EXIF"), uint32(len(exif))), exif...)
	if got := orientation("webp", append(slices.Clone(still), chunk...)); got != 6 {
		t.Errorf("orientation %d", got)
	}
}

// FuzzMake reads arbitrary data. Whatever it makes is two pictures.
func FuzzMake(f *testing.F) {
	m := quarters(8, 8, [4]color.NRGBA{red, green, clear, white})
	for _, kind := range []string{"png", "jpeg", "gif"} {
		f.Add(withEXIF(kind, encode(f, kind, m), tiff(binary.BigEndian, 5)))
	}
	f.Add(still)
	f.Add(animation)
	f.Fuzz(func(t *testing.T, data []byte) {
		large, small, err := Make(t.Context(), data)
		if err != nil {
			return
		}
		for side, made := range map[int][]byte{Large: large, Small: small} {
			if c, _, err := image.DecodeConfig(bytes.NewReader(made)); err != nil || c.Width != side || c.Height != side {
				t.Errorf("%+v, %v", c, err)
			}
		}
	})
}

// FuzzOrientation looks for the orientation in arbitrary data.
func FuzzOrientation(f *testing.F) {
	f.Add("jpeg", withEXIF("jpeg", []byte{0xff, 0xd8, 0xff, 0xd9}, tiff(binary.BigEndian, 5)))
	f.Add("webp", still)
	f.Add("png", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x04eXIfMM\x00*\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		if n := orientation(kind, data); n < 1 || n > 8 {
			t.Errorf("%d", n)
		}
		if n := oriented(data); n < 1 || n > 8 {
			t.Errorf("%d", n)
		}
	})
}
