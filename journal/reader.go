package journal

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"

	"daybook/domain"
	"daybook/domain/text"
)

// MaxLine is the longest line of a journal, in bytes. A longer one is malformed. It has room for the longest text if all of it is written as
// escapes, such as \u00e9, which are up to three times as long as what they stand for.
const MaxLine = 3*text.Max + 32<<10

// raw is a line as written in the journal.
type raw struct {
	number  int
	bytes   []byte
	tooLong bool
}

// reader splits a journal into lines.
type reader struct {
	buffered *bufio.Reader
	lines    int
	begun    [][]byte // of the next line
}

// buffer is how many bytes a reader reads at once. A longer line is a batch of its own, so that a client that does not send the
// rest of it costs no more than a line.
const buffer = 64 << 10

// byteOrderMark is what some editors write at the beginning of a file. It is in the middle of files that were joined.
var byteOrderMark = []byte("\ufeff")

// newReader returns a reader of a journal, plain or gzip, that has at most most bytes once unpacked; 0: any number.
func newReader(r io.Reader, most int64) (*reader, error) {
	buffered := bufio.NewReaderSize(r, buffer)
	if first, _ := buffered.Peek(len(byteOrderMark)); bytes.Equal(first, byteOrderMark) {
		_, _ = buffered.Discard(len(byteOrderMark)) // it has been read
	}
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		plain, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, readable(err)
		}
		buffered = bufio.NewReaderSize(&unpacked{plain, most, most}, buffer)
	}
	return &reader{buffered: buffered}, nil
}

// unpacked reads what was packed, up to a limit: a small file can become a very large one.
type unpacked struct {
	io.Reader
	most, left int64 // most is 0: there is no limit
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if u.left -= int64(n); u.most > 0 && u.left < 0 {
		return 0, domain.TooLarge("journal-too-large", "The journal has more than %d bytes once unpacked. Send it in parts: lines that were already imported are not imported twice.", u.most)
	}
	return n, err
}

// batch returns the next lines, at least one if there are any, and io.EOF with the last ones.
func (r *reader) batch(maxLines, maxBytes int) ([]raw, error) {
	var batch []raw
	for size := 0; len(batch) < maxLines && size < maxBytes; {
		t, err := r.line(len(batch) == 0)
		if errors.Is(err, errLong) {
			break
		}
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

// errLong says that the next line is longer than the buffer.
var errLong = errors.New("the line is long")

// line returns the next line without its line end; an empty one has no bytes. It skips the bytes of a line longer than
// MaxLine. Unless it may be long, a line longer than the buffer is only begun, and the next call returns it.
func (r *reader) line(long bool) (raw, error) {
	t, parts, size := raw{number: r.lines + 1}, r.begun, buffer*len(r.begun)
	r.begun = nil
	for {
		part, err := r.buffered.ReadSlice('\n')
		if size += len(part); size > MaxLine {
			t.tooLong, parts = true, nil
		} else {
			parts = append(parts, bytes.Clone(part))
		}
		switch {
		case !errors.Is(err, bufio.ErrBufferFull):
			r.lines++
			t.bytes = bytes.TrimSpace(bytes.TrimPrefix(bytes.Join(parts, nil), byteOrderMark))
			return t, readable(err)
		case !long:
			r.begun = parts
			return raw{}, errLong
		}
	}
}

// readable turns an error in the gzip format into a refusal.
func readable(err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt) {
		return &domain.Error{
			Refusal: domain.RefusedInvalid, Code: "journal-damaged",
			Message: "The journal is damaged or incomplete. Import it again once it is complete: no line is imported twice.",
		}
	}
	return err
}

// ErrNoJournal says that a file is not a journal.
var ErrNoJournal = errors.New("not a journal: its first line must be a JSON object with id, at, by and do, such as " +
	`{"id":"1","at":"2026-01-05T10:00:00+01:00","by":"system","do":"department.create","department":"support","name":"Support"}` +
	"; docs/journal.md in Daybook's source describes the format")

// Sniff returns ErrNoJournal if the first line that is not empty has none of the fields of a journal's line.
func Sniff(journal io.Reader) error {
	lines, err := newReader(journal, 0)
	if err != nil {
		return err
	}
	first, err := lines.batch(1, MaxLine)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for _, l := range first {
		var fields struct{ ID, At, By, Do json.RawMessage }
		if l.tooLong || json.Unmarshal(l.bytes, &fields) != nil || fields.ID == nil && fields.At == nil && fields.By == nil && fields.Do == nil {
			return ErrNoJournal
		}
	}
	return nil
}

// CountLines returns the number of lines of a journal, plain or gzip, that are not empty.
func CountLines(journal io.Reader) (int, error) {
	count := 0
	err := Parts(journal, MaxLine, func(_ int, part []byte) error {
		count += bytes.Count(part, []byte{'\n'})
		return nil
	})
	return count, err
}

// Parts splits a journal, plain or gzip, into parts of whole lines of about size bytes, and calls f with each part and the
// number of its first line. Empty lines are kept between two others, so that line numbers stay correct, and dropped
// elsewhere. A line longer than MaxLine is replaced by a short one that is malformed too.
func Parts(journal io.Reader, size int, f func(first int, part []byte) error) error {
	lines, err := newReader(journal, 0)
	if err != nil {
		return err
	}
	for {
		batch, err := lines.batch(1<<20, size)
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return err
		}
		if len(batch) > 0 {
			var part []byte
			for i, t := range batch {
				if i > 0 {
					part = append(part, bytes.Repeat([]byte{'\n'}, t.number-batch[i-1].number-1)...)
				}
				if t.tooLong {
					t.bytes = []byte("too long") // which is malformed too
				}
				part = append(append(part, t.bytes...), '\n')
			}
			if err := f(batch[0].number, part); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}
