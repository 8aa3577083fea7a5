package journal

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// MaxLine is the longest line of a journal, in bytes. A longer one is malformed.
const MaxLine = 1 << 20

// text is a line as it stands in the journal.
type text struct {
	number  int
	bytes   []byte
	tooLong bool
}

// reader splits a journal into lines.
type reader struct {
	buffered *bufio.Reader
	lines    int
}

// newReader reads a journal, plain or gzip.
func newReader(r io.Reader) (*reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		plain, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, err
		}
		buffered = bufio.NewReaderSize(plain, 64<<10)
	}
	return &reader{buffered: buffered}, nil
}

// batch returns the next lines, at least one if there is any; io.EOF comes with the last ones.
func (r *reader) batch(maxLines, maxBytes int) ([]text, error) {
	var batch []text
	for size := 0; len(batch) < maxLines && size < maxBytes; {
		t, err := r.line()
		if len(t.bytes) > 0 || t.tooLong {
			batch = append(batch, t)
			size += len(t.bytes)
		}
		if err != nil {
			return batch, err
		}
	}
	return batch, nil
}

// line returns the next line without its end; an empty one has no bytes. What is over MaxLine is passed over.
func (r *reader) line() (text, error) {
	r.lines++
	t := text{number: r.lines}
	for {
		part, err := r.buffered.ReadSlice('\n')
		if len(t.bytes)+len(part) > MaxLine {
			t.tooLong, t.bytes = true, nil
		}
		if !t.tooLong {
			t.bytes = append(t.bytes, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			t.bytes = bytes.TrimSpace(t.bytes)
			return t, err
		}
	}
}
