package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// inTime limits how long the body of a request may take to arrive, and its client to read each part of the answer.
func (s *server) inTime(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	t := &timed{ResponseWriter: w, conn: http.NewResponseController(w), within: s.Limits.AnswerTime, exceeded: s.Exceeded}
	if r.Body != nil && r.Body != http.NoBody {
		t.body = &arriving{ReadCloser: r.Body, conn: t.conn}
		r.Body = t.body
		_ = t.conn.SetReadDeadline(time.Now().Add(s.Limits.BodyTime)) // a test's writer has no connection
	}
	return t
}

// arriving is the body of a request.
type arriving struct {
	io.ReadCloser
	conn *http.ResponseController
	all  bool // it has been read to its end
}

// Read also lets the server wait for as long as it wants once the body is there: for the answer, and for the next request.
func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err == io.EOF && !a.all {
		a.all = true
		_ = a.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

// timed is the writer of an answer.
type timed struct {
	http.ResponseWriter
	conn   *http.ResponseController
	within time.Duration
	body   *arriving // nil: none
	began  bool

	exceeded func(limit string) // nil: nobody is told
}

// linger is how long the rest of a body is taken after an answer that did not need it, so that its client reads the answer.
const linger = time.Second

// WriteHeader also gives up a body that has not been read: a refused client is not waited for.
func (t *timed) WriteHeader(status int) {
	if !t.began {
		t.began = true
		if t.body != nil && !t.body.all {
			t.Header().Set("Connection", "close")
			_ = t.conn.SetReadDeadline(time.Now().Add(linger))
		}
	}
	_ = t.conn.SetWriteDeadline(time.Now().Add(t.within))
	t.ResponseWriter.WriteHeader(status)
}

// duplex lets an answer begin while the body is still being read.
func (t *timed) duplex() {
	if t.conn.EnableFullDuplex() == nil {
		t.body = nil
	}
}

func (t *timed) Write(p []byte) (int, error) {
	if !t.began {
		t.WriteHeader(http.StatusOK)
	}
	_ = t.conn.SetWriteDeadline(time.Now().Add(t.within))
	n, err := t.ResponseWriter.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) && t.exceeded != nil {
		t.exceeded(answerTime)
	}
	return n, err
}

// Flush implements http.Flusher.
func (t *timed) Flush() { _ = t.conn.Flush() }

// Unwrap lets http.ResponseController find the connection.
func (t *timed) Unwrap() http.ResponseWriter { return t.ResponseWriter }
