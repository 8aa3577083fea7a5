// Command daybook is the desk's one program: it serves, imports, replays, rebuilds, verifies.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"daybook/domain"
	"daybook/eventstore/sqlite"
)

// program is every subcommand. Each has a file of its own.
type program struct {
	Serve    serveCommand    `cmd:"" help:"Serve the API; posts the read models meanwhile."`
	Import   importCommand   `cmd:"" help:"Play journals: what another desk recorded, one line a command."`
	Replay   replayCommand   `cmd:"" help:"Write the read models as of a past instant or position to a file."`
	Rebuild  rebuildCommand  `cmd:"" help:"Build the read models anew beside the live ones, compare, and switch."`
	Verify   verifyCommand   `cmd:"" help:"Compare the read models with the log, and name each cell that differs."`
	Key      keyCommand      `cmd:"" help:"Make, list and revoke API keys."`
	Simulate simulateCommand `cmd:"" help:"Play a believable desk for some days, from a seed."`
	Version  versionCommand  `cmd:"" help:"Say which program this is."`

	Shown  kong.VersionFlag `name:"version" help:"Say which program this is."`
	Config kong.ConfigFlag  `help:"A YAML file of settings, named as the flags are; flags and the environment win over it." env:"DAYBOOK_CONFIG" type:"existingfile" placeholder:"FILE"`
}

// folder is where a desk keeps its files. It is part of every command that works on one.
type folder struct {
	Data       string `help:"The folder of the desk: events.db, readmodels-N.db, vault.db and vault.key. Back up all of it together; without vault.key no personal text can be read again." default:"./data" env:"DAYBOOK_DATA" type:"path"`
	Events     string `help:"Where the log is, if not in the folder: a database of PostgreSQL (postgres://…) or EventStoreDB (esdb://…, esdb+discover://…). The folder keeps the vault, which belongs to this log alone." env:"DAYBOOK_EVENTS" placeholder:"URL"`
	ReadModels string `help:"Where the read models are, if not in the folder: a database of PostgreSQL (postgres://…)." env:"DAYBOOK_READ_MODELS" placeholder:"URL"`

	Lease time.Duration `help:"How long a process that projects read models to PostgreSQL, or carries on an operation, may be silent before another takes over." default:"10s" env:"DAYBOOK_LEASE"`
}

func (f folder) path(name string) string { return filepath.Join(f.Data, name) }

// terminal is where a command talks: data on out, the rest on talk.
type terminal struct {
	out, talk io.Writer
}

// status is an error with an exit status of its own.
type status struct {
	code int
	error
}

// The exit statuses, beside 0 for done.
const (
	failed       = 1
	wrongUsage   = 2
	notFound     = 3
	conflict     = 4
	notAsItIs    = 5 // the log or a read model is not what it should be
	someRejected = 6
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	keepPrivate()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && err.Error() != "" {
		fmt.Fprintln(os.Stderr, "daybook:", err)
	}
	os.Exit(exitStatus(err))
}

func exitStatus(err error) int {
	var own status
	var no *domain.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &own):
		return own.code
	case errors.As(err, &no) && no.Refusal == domain.RefusedNotFound:
		return notFound
	case errors.As(err, &no) && no.Refusal == domain.RefusedConflict, errors.Is(err, sqlite.ErrInUse):
		return conflict
	}
	return failed
}

// run carries out a command line. It is all of main but the process.
func run(ctx context.Context, args []string, out, talk io.Writer) error {
	var p program
	exited := -1
	parser, err := kong.New(&p,
		kong.Name("daybook"), kong.Description("The event-sourced system of record for customer support."),
		kong.Vars{"version": version()}, kong.Writers(out, talk), kong.Exit(func(code int) { exited = code }),
		kong.Configuration(yamlSettings, "daybook.yaml"), kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(terminal{out, talk}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"help"}
	}
	if args[0] == "help" { // "help serve" is "serve --help"
		args = append(args[1:len(args):len(args)], "--help")
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // help was asked for
		return nil
	}
	if err != nil {
		return status{wrongUsage, err}
	}
	return parsed.Run()
}

// yamlSettings reads settings from a YAML file. A setting that the environment has too is left to that.
func yamlSettings(r io.Reader) (kong.Resolver, error) {
	settings := make(map[string]any)
	if err := yaml.NewDecoder(r).Decode(&settings); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the settings file is not YAML: %w", err)
	}
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		for _, name := range flag.Envs {
			if _, set := os.LookupEnv(name); set {
				return nil, nil
			}
		}
		return settings[flag.Name], nil
	}), nil
}
