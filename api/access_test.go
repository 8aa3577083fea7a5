package api_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/internal/testlog"
)

// TestAgentsAreNotLookedUp checks that requests with an agent's key do not read the agent from the log, unless the agent
// has changed.
func TestAgentsAreNotLookedUp(t *testing.T) {
	t.Parallel()
	var agents atomic.Int64
	c, door := wired(t, func(s eventstore.Store) eventstore.Store {
		return &testlog.Watched{Store: s, Asked: func(stream string) {
			if strings.HasPrefix(stream, "agent-") {
				agents.Add(1)
			}
		}}
	}, 0)
	following, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		door.Follow(following, func(err error) { t.Error(err) })
	}()
	defer func() { stop(); <-ended }()
	id := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"}).ID(t)
	_, token, err := door.Vault.NewAPIKey(t.Context(), "ada", role.Admin, uuid.MustParse(id), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ada := c.As(token)
	ask := func() int64 {
		before := agents.Load()
		ada.Get(t, "/v1/me")
		return agents.Load() - before
	}
	for ask() > 0 { // until the log is followed
	}
	for range 20 {
		if reads := ask(); reads > 0 {
			t.Fatalf("a request read %d streams of agents", reads)
		}
	}
	admin := role.Admin
	c.Must(t, 200, "PATCH", "/v1/agents/"+id, map[string]any{"role": admin})
	if got := ada.Get(t, "/v1/me").Object(t); got["role"] != string(admin) {
		t.Errorf("once the agent is an admin, the key is %v", got)
	}
	c.Must(t, 200, "DELETE", "/v1/agents/"+id, nil)
	ada.Refused(t, 401, "key-unknown", "GET", "/v1/me", nil)
}
