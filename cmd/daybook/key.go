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
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/vault"
)

// keyCommand manages API keys. It also works while the desk is being served.
type keyCommand struct {
	Create keyCreate `cmd:"" help:"Create an API key, and print its token. The token is not shown again."`
	List   keyList   `cmd:"" help:"List API keys."`
	Revoke keyRevoke `cmd:"" help:"Revoke an API key."`
	Rotate keyRotate `cmd:"" name:"rotate-master" help:"Replace the master key of the vault. Processes that serve the desk go on."`
}

type keyCreate struct {
	folder
	Name  string    `required:"" help:"Name of the key, which says what it is for."`
	Role  role.Role `required:"" help:"Role of the key: owner, admin, agent, auditor or channel." enum:"owner,admin,agent,auditor,channel"`
	Agent string    `help:"Id of the agent that the key acts as. By default it acts as itself." placeholder:"ID"`
}

// Run writes nothing but the token to standard output.
func (c *keyCreate) Run(ctx context.Context, t terminal) error {
	name, err := profile.Name("--name", c.Name)
	if err != nil {
		return status{wrongUsage, err}
	}
	id, err := c.agent(ctx)
	if err != nil {
		return err
	}
	return withVault(ctx, c.folder, func(v *vault.Vault) error {
		key, token, err := v.NewAPIKey(ctx, name, c.Role, id, time.Now())
		if err != nil {
			return err
		}
		fmt.Fprintf(t.talk, "daybook: created key %s; keep its token, which is not shown again\n", key.ID)
		_, err = fmt.Fprintln(t.out, token)
		return err
	})
}

// agent returns the agent that the key is to act as, or uuid.Nil.
func (c *keyCreate) agent(ctx context.Context) (id uuid.UUID, err error) {
	if c.Agent == "" {
		return uuid.Nil, nil
	}
	if id, err = domain.ParseID(c.Agent); err != nil {
		return id, status{wrongUsage, fmt.Errorf("--agent must be an id, as in GET /v1/agents: %w", err)}
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
	Output string `short:"o" help:"Output format: table or json." enum:"table,json" default:"table"`
}

// Run lists the keys, newest first.
func (c *keyList) Run(ctx context.Context, t terminal) error {
	return withVault(ctx, c.folder, func(v *vault.Vault) error {
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
			if k.Altered {
				k.RevokedAt = "changed by hand or damaged; grants nothing"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Role, agent, k.CreatedAt, k.RevokedAt)
		}
		return table.Flush()
	})
}

type keyRevoke struct {
	folder
	ID string `arg:"" help:"Id of the key."`
}

// Run revokes a key, also while the desk is being served. When it ends, no process accepts the key.
func (c *keyRevoke) Run(ctx context.Context, t terminal) error {
	return withVault(ctx, c.folder, func(v *vault.Vault) error {
		if err := v.RevokeAPIKey(ctx, c.ID, time.Now()); err != nil {
			return err
		}
		if err := v.Everywhere(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintf(t.out, "Key %s is revoked.\n", c.ID)
		return err
	})
}

type keyRotate struct {
	folder
	New string `help:"File with the new master key: 64 hexadecimal digits. By default one is made." type:"existingfile" placeholder:"FILE"`
}

// Run can be repeated if it was interrupted.
func (c *keyRotate) Run(ctx context.Context, t terminal) error {
	if err := errors.Join(c.mustBe(ctx), c.mustHaveVault(ctx)); err != nil {
		return err
	}
	from := c.master()
	keys, err := c.prepare(from)
	if err != nil {
		return err
	}
	v, err := c.openVault(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(v.RotateMaster(ctx), v.Close()); err != nil {
		return err
	}
	if from.File != c.path("vault.key") {
		_, err = fmt.Fprintf(t.out, "Everything is under the first key in %s now. Remove the others there.\n", from.Name())
		return err
	}
	if err := from.Write(keys[0]); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "Everything is under the new master key, in %s. Back it up, with the vault.\n", from.File)
	return err
}

// prepare puts the new key before the old one, unless both are there already, and returns them.
func (c *keyRotate) prepare(from vault.Master) ([]string, error) {
	keys, err := from.Keys()
	if err != nil {
		return nil, err
	}
	next := ""
	if c.New != "" {
		given, err := vault.MasterFile(c.New).Keys()
		if err != nil {
			return nil, err
		}
		next = given[0]
	}
	switch {
	case len(keys) > 1 && (next == "" || next == keys[0]): // interrupted, or prepared on every machine
		return keys, nil
	case len(keys) > 1:
		return nil, status{conflict, fmt.Errorf("%s has a new key already, which is not that of --new: run daybook key rotate-master without it first", from.Name())}
	case from.File != c.path("vault.key"):
		return nil, status{wrongUsage, fmt.Errorf("the master key comes from %s: put the new key there, before the old one and a space, for every process; restart those that read it only once; and run this again", from.Name())}
	case next == keys[0]:
		return nil, status{wrongUsage, errors.New("the key of --new is the one that is used already")}
	case next == "":
		next = vault.NewMasterKey()
	}
	keys = []string{next, keys[0]}
	return keys, from.Write(keys...)
}

// withVault opens the vault of an existing desk.
func withVault(ctx context.Context, f folder, do func(*vault.Vault) error) error {
	if err := errors.Join(f.mustBe(ctx), f.mustHaveVault(ctx)); err != nil {
		return err
	}
	v, err := f.openVault(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(v), v.Close())
}
