package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/role"
	"daybook/vault"
)

// keyCommand keeps API keys. It works beside whoever serves the desk.
type keyCommand struct {
	Create keyCreate `cmd:"" help:"Make an API key; its token is written to standard output, once."`
	List   keyList   `cmd:"" help:"List API keys."`
	Revoke keyRevoke `cmd:"" help:"End an API key."`
}

type keyCreate struct {
	folder
	Name  string    `required:"" help:"What the key is for."`
	Role  role.Role `required:"" help:"What it may do: owner, admin, agent or auditor." enum:"owner,admin,agent,auditor"`
	Agent string    `help:"The id of the agent whom it acts as; left out, it acts as itself." placeholder:"ID"`
}

// Run writes nothing but the token to standard output.
func (c *keyCreate) Run(ctx context.Context, t terminal) error {
	id, err := c.agent(ctx)
	if err != nil {
		return err
	}
	return withVault(c.folder, func(v *vault.Vault) error {
		key, token, err := v.NewAPIKey(ctx, c.Name, c.Role, id, time.Now())
		if err != nil {
			return err
		}
		fmt.Fprintf(t.talk, "daybook: key %s; keep its token, it is not shown again\n", key.ID)
		_, err = fmt.Fprintln(t.out, token)
		return err
	})
}

// agent is whom the key is to act as, if anybody.
func (c *keyCreate) agent(ctx context.Context) (id uuid.UUID, err error) {
	if c.Agent == "" {
		return uuid.Nil, nil
	}
	if id, err = uuid.Parse(c.Agent); err != nil {
		return id, status{wrongUsage, fmt.Errorf("--agent must be an id, such as GET /v1/agents shows: %w", err)}
	}
	d, err := readDesk(ctx, c.folder)
	if err != nil {
		return id, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	a, err := work.State(ctx, d.commands, agent.Stream, id)
	if err == nil {
		err = a.State.MustExist()
	}
	return id, err
}

type keyList struct {
	folder
	Output string `short:"o" help:"table or json." enum:"table,json" default:"table"`
}

// Run lists the keys, the newest first.
func (c *keyList) Run(ctx context.Context, t terminal) error {
	return withVault(c.folder, func(v *vault.Vault) error {
		keys, err := v.APIKeys(ctx)
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return json.NewEncoder(t.out).Encode(keys)
		}
		table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNAME\tROLE\tAGENT\tCREATED\tREVOKED")
		for _, k := range keys {
			agent := "-"
			if k.Agent != uuid.Nil {
				agent = k.Agent.String()
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Role, agent, k.CreatedAt, k.RevokedAt)
		}
		return table.Flush()
	})
}

type keyRevoke struct {
	folder
	ID string `arg:"" help:"The key's id."`
}

// Run ends a key at once, also for a desk that is being served.
func (c *keyRevoke) Run(ctx context.Context, t terminal) error {
	return withVault(c.folder, func(v *vault.Vault) error {
		if err := v.RevokeAPIKey(ctx, c.ID, time.Now()); err != nil {
			return err
		}
		_, err := fmt.Fprintf(t.out, "Key %s is revoked.\n", c.ID)
		return err
	})
}

// withVault opens the vault of a desk that is there.
func withVault(f folder, do func(*vault.Vault) error) error {
	if err := errors.Join(f.mustBe(), f.mustHaveVault()); err != nil {
		return err
	}
	v, err := vault.Open(f.path("vault.db"))
	if err != nil {
		return err
	}
	return errors.Join(do(v), v.Close())
}
