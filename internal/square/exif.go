package square

import (
	"bytes"
	"encoding/binary"
)

// upright is the orientation of an image that is shown as it is stored.
const upright = 1

// orientation returns how an image of a kind is to be turned, from 1 to 8, as its EXIF metadata say. What they do not say clearly is
// upright.
func orientation(kind string, data []byte) int {
	switch kind {
	case "jpeg":
		return oriented(exifOfJPEG(data))
	case "png":
		return oriented(exifOfPNG(data))
	case "webp":
		return oriented(exifOfWebP(data))
	}
	return upright
}

// exifOfJPEG returns the EXIF metadata of a JPEG: what its first segment APP1 with them holds, before the image itself begins.
func exifOfJPEG(data []byte) []byte {
	const app1, scan, end = 0xe1, 0xda, 0xd9
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		marker := data[at+1]
		if marker == 0xff { // padding
			at++
			continue
		}
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		if marker == scan || marker == end || size < 2 || at+2+size > len(data) {
			return nil
		}
		if exif, is := bytes.CutPrefix(data[at+4:at+2+size], []byte("Exif\x00\x00")); is && marker == app1 {
			return exif
		}
		at += 2 + size
	}
	return nil
}

// exifOfPNG returns what the chunk eXIf of a PNG holds.
func exifOfPNG(data []byte) []byte {
	for at := 8; at+12 <= len(data); {
		size := int64(binary.BigEndian.Uint32(data[at:]))
		if size > int64(len(data)-at-12) {
			return nil
		}
		if string(data[at+4:at+8]) == "eXIf" {
			return data[at+8 : at+8+int(size)]
		}
		at += 12 + int(size)
	}
	return nil
}

// exifOfWebP returns what the chunk EXIF of a WebP holds.
func exifOfWebP(data []byte) []byte {
	for at := 12; at+8 <= len(data); {
		size := int64(binary.LittleEndian.Uint32(data[at+4:]))
		if size > int64(len(data)-at-8) {
			return nil
		}
		if string(data[at:at+4]) == "EXIF" {
			exif, _ := bytes.CutPrefix(data[at+8:at+8+int(size)], []byte("Exif\x00\x00")) // which some programs write
			return exif
		}
		at += 8 + int(size+size%2)
	}
	return nil
}

// animated reports whether data is a WebP that says that it is animated.
func animated(data []byte) bool {
	const flag = 1 << 1
	return len(data) > 20 && string(data[:4]) == "RIFF" && string(data[8:16]) == "WEBPVP8X" && data[20]&flag != 0
}

// oriented returns the orientation in EXIF metadata: the tag of that number in the first directory.
func oriented(exif []byte) int {
	const tag, short, first = 0x0112, 3, 8 // the first directory is nowhere before
	if len(exif) < first {
		return upright
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(exif[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return upright
	}
	at := int64(order.Uint32(exif[4:]))
	if at < first || at+2 > int64(len(exif)) {
		return upright
	}
	entries := exif[at+2:]
	for range order.Uint16(exif[at:]) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short && order.Uint32(entries[4:]) == 1 {
			if n := int(order.Uint16(entries[8:])); n >= 1 && n <= 8 {
				return n
			}
			break
		}
		entries = entries[12:]
	}
	return upright
}
