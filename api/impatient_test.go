package api

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestImpatient sends bodies that stall and bodies that arrive slowly but steadily. Only the first are cut off.
func TestImpatient(t *testing.T) {
	t.Parallel()
	read := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := &impatient{r.Body, http.NewResponseController(w), 2 * time.Second}
		_, err := io.ReadAll(body)
		read <- err
		if err == nil {
			<-time.After(body.timeout + time.Second) // importing takes time too
			err = r.Context().Err()
		}
		if err != nil {
			http.Error(w, "", http.StatusRequestTimeout)
		}
	}))
	defer server.Close()
	send := func(parts int) net.Conn {
		conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: desk\r\nContent-Length: 4\r\n\r\n")
		for range parts {
			<-time.After(600 * time.Millisecond) // on a busy machine it may take three times as long
			fmt.Fprint(conn, "x")
		}
		return conn
	}
	stalled := send(2)
	defer stalled.Close()
	var p *Problem
	if err := <-read; !errors.As(err, &p) || p.Code != "too-slow" {
		t.Errorf("of one that stalls: %v", err)
	}
	slow := send(4)
	defer slow.Close()
	if err := <-read; err != nil {
		t.Errorf("of one that is slow: %v", err)
	}
	answer := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(slow, answer); err != nil || string(answer) != "HTTP/1.1 200" {
		t.Errorf("%v: %s", err, answer)
	}
}
