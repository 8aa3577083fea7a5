package api_test

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/internal/testdesk"
)

// painted returns a PNG of one colour.
func painted(side int, c color.Color) testdesk.Image {
	m := image.NewNRGBA(image.Rect(0, 0, side, side))
	for i := range side * side {
		m.Set(i%side, i/side, c)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, m); err != nil {
		panic(err)
	}
	return out.Bytes()
}

var onePixel = painted(1, color.White)

// colourOf returns the colour in the middle of a picture, and checks its size.
func colourOf(t *testing.T, a testdesk.Answer, side int) color.Color {
	t.Helper()
	m, _, err := image.Decode(bytes.NewReader(a.Body))
	if err != nil || m.Bounds().Dx() != side || m.Bounds().Dy() != side {
		t.Fatalf("%v, %v", err, a)
	}
	return color.NRGBAModel.Convert(m.At(side/2, side/2))
}

// TestPictures sets, replaces and removes the pictures of a contact, a company and an agent.
func TestPictures(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	c.CaughtUp(t)
	black, blue := painted(600, color.NRGBA{A: 255}), painted(30, color.NRGBA{B: 200, A: 100})
	for stream, made := range map[string]struct {
		list string
		body map[string]any
	}{
		"contact": {"/v1/contacts", map[string]any{"name": "Nora", "avatar": "https://acme.example/nora.png"}}, "company": {"/v1/companies", map[string]any{"name": "Acme"}},
		"agent": {"/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"}},
	} {
		t.Run(stream, func(t *testing.T) {
			new := c.Must(t, 201, "POST", made.list, made.body)
			id := new.ID(t)
			one, path := made.list+"/"+id, made.list+"/"+id+"/avatar"
			after := func(a testdesk.Answer) testdesk.With { return testdesk.Header("Daybook-After", a.Position()) }
			c.Refused(t, 404, "picture-unknown", "GET", path, nil)
			c.Refused(t, 404, stream+"-unknown", "GET", made.list+"/"+uuid.NewString()+"/avatar", nil)
			c.Refused(t, 404, stream+"-unknown", "PUT", made.list+"/"+uuid.NewString()+"/avatar", black)

			key := testdesk.Header("Idempotency-Key", stream)
			set := c.Must(t, 200, "PUT", path, black, key)
			if again := c.Must(t, 200, "PUT", path, black, key); !bytes.Equal(again.Body, set.Body) || again.Header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("repeated: %s, first %s", again, set)
			}
			first := set.Object(t)["picture_id"].(string)
			got := c.Get(t, path, after(set))
			if got.Header.Get("Content-Type") != "image/jpeg" || got.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(got.Header.Get("Content-Security-Policy"), "sandbox") || colourOf(t, got, 512) != (color.NRGBA{A: 255}) {
				t.Errorf("%v", got.Header)
			}
			small := c.Get(t, path+"?size=64")
			colourOf(t, small, 64)
			if small.Header.Get("ETag") == got.Header.Get("ETag") {
				t.Error("both sizes have one ETag")
			}
			c.Must(t, 304, "GET", path, nil, testdesk.Header("If-None-Match", got.Header.Get("ETag")))
			if row := c.Get(t, one).Object(t); row["picture_id"] != first || stream == "contact" && row["avatar"] != made.body["avatar"] {
				t.Errorf("%v", row)
			}

			then := set.Position()
			replaced := c.Must(t, 200, "PUT", path, blue)
			for _, with := range [][]testdesk.With{nil, {after(replaced)}} { // at once, too
				got = c.Get(t, path, with...)
				if got.Header.Get("Content-Type") != "image/png" || colourOf(t, got, 512) != (color.NRGBA{B: 200, A: 100}) {
					t.Errorf("%v, %v", got.Header, colourOf(t, got, 512))
				}
			}
			c.Refused(t, 410, "picture-destroyed", "GET", path+"?as_of="+then, nil)
			c.Refused(t, 410, "picture-destroyed", "GET", path+"?size=64&as_of="+then, nil)
			c.Refused(t, 404, "picture-unknown", "GET", path+"?as_of="+new.Position(), nil)
			c.Get(t, path+"?as_of="+replaced.Position())
			c.Get(t, path+"?as_of="+time.Now().UTC().Format(time.RFC3339Nano))
			c.Refused(t, 412, "stale", "PUT", path, black, testdesk.Header("If-Match", set.Header.Get("ETag")))
			if row := c.Get(t, one+"?as_of="+then).Object(t); row["picture_id"] != first {
				t.Errorf("%v", row)
			}

			removed := c.Must(t, 200, "DELETE", path, nil)
			if removed.Object(t)["picture_id"] != nil {
				t.Errorf("%s", removed)
			}
			c.Must(t, 200, "DELETE", path, nil)
			c.Refused(t, 404, "picture-unknown", "GET", path, nil, after(removed))
			c.Refused(t, 410, "picture-destroyed", "GET", path+"?as_of="+replaced.Position(), nil)
			c.CaughtUp(t)
			for kind, n := range map[string]int{"set": 2, "removed": 1} {
				if events := c.All(t, "/v1/events?type="+stream+"-picture-"+kind+"&stream="+stream+"-"+id); len(events) != n {
					t.Errorf("%d events %s-picture-%s, want %d", len(events), stream, kind, n)
				}
			}
		})
	}
}

// TestPicturesThatAreRefused sends what is no picture. Nothing is kept of it.
func TestPicturesThatAreRefused(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	c.CaughtUp(t)
	path := "/v1/contacts/" + c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}).ID(t) + "/avatar"
	of := func(kind string) testdesk.With { return testdesk.Header("Content-Type", kind) }
	c.Refused(t, 415, "media-type", "PUT", path, map[string]any{"url": "https://acme.example/nora.png"})
	c.Refused(t, 415, "media-type", "PUT", path, []byte("<svg/>"), of("image/svg+xml"))
	c.Refused(t, 415, "media-type", "PUT", path, onePixel, func(r *http.Request) { r.Header.Del("Content-Type") })
	c.Refused(t, 422, "picture-malformed", "PUT", path, []byte("<svg/>"), of("image/png"))
	c.Refused(t, 422, "picture-malformed", "PUT", path, onePixel[:len(onePixel)/2])
	c.Refused(t, 422, "picture-animated", "PUT", path, []byte("RIFF\x20\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x01\x00\x00"), of("image/webp"))
	c.Refused(t, 413, "too-large", "PUT", path, bytes.Repeat([]byte("x"), 5<<20+1), of("image/png"))
	c.Refused(t, 422, "picture-malformed", "PUT", path, bytes.Repeat([]byte("x"), 5<<20), of("image/png"))
	var huge bytes.Buffer
	if err := gif.Encode(&huge, image.NewPaletted(image.Rect(0, 0, 5000, 4000), color.Palette{color.White}), nil); err != nil {
		t.Fatal(err)
	}
	c.Refused(t, 422, "picture-too-many-pixels", "PUT", path, huge.Bytes(), of("image/gif"))
	c.Refused(t, 422, "invalid", "GET", path+"?size=63", nil)
	c.CaughtUp(t)
	if events := c.All(t, "/v1/events?type=contact-picture-set"); len(events) > 0 {
		t.Errorf("%v", events)
	}
	c.Must(t, 200, "PUT", path, onePixel)
}
