package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"daybook/internal/testdesk"
)

// TestStops sends SIGTERM to a server with requests in progress and an open stream. The requests must be answered, the
// stream must end, no answered command may be lost, and the exit status must be 0.
func TestStops(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c, server := reexec.StartServer(t, folder)
	streamed := make(chan int, 1)
	opened := make(chan struct{})
	go func() {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL+"/v1/events/stream?after=0", nil)
		if err == nil {
			request.Header.Set("Authorization", "Bearer "+c.Key)
			var response *http.Response
			if response, err = c.HTTP.Do(request); err == nil {
				close(opened)
				streamed <- len(testdesk.ReadSent(response.Body, 1<<20))
				response.Body.Close()
				return
			}
		}
		t.Error(err)
		close(opened)
		streamed <- 0
	}()
	<-opened
	var mu sync.Mutex
	var kept []string
	var senders sync.WaitGroup
	stopped := make(chan struct{})
	for n := range 8 {
		senders.Go(func() {
			for i := 0; ; i++ {
				a, err := c.Try(context.Background(), "POST", "/v1/contacts", map[string]any{"name": fmt.Sprintf("C%d.%d", n, i)})
				if err != nil { // refused, since it stops
					return
				}
				var made struct{ ID string }
				if json.Unmarshal(a.Body, &made) != nil || a.Status != http.StatusCreated {
					t.Errorf("while stopping: %s", a)
					return
				}
				mu.Lock()
				kept = append(kept, made.ID)
				if len(kept) == 40 {
					close(stopped)
				}
				mu.Unlock()
			}
		})
	}
	<-stopped
	server.Terminate(t)
	senders.Wait()
	if n := <-streamed; n == 0 {
		t.Error("the stream sent nothing")
	}
	c, _ = reexec.StartServer(t, folder)
	c.CaughtUp(t)
	for _, id := range kept {
		c.Get(t, "/v1/contacts/"+id)
	}
	inProcess.Must(t, 0, "verify", "--data", folder)
}
