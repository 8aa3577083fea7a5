// Command daybook serves a support desk's API. It also imports journals, writes past read models to a file, rebuilds and
// verifies the read models, and manages API keys.
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
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"daybook/domain"
	"daybook/eventstore/sqlite"
	"daybook/internal/lock"
)

// program lists the subcommands. Each has a file of its own.
type program struct {
	Serve    serveCommand    `cmd:"" help:"Serve the API, and keep the read models up to date."`
	Import   importCommand   `cmd:"" help:"Import journals that another desk recorded, with one command per line."`
	Replay   replayCommand   `cmd:"" help:"Write the read models of a past instant or position to a file."`
	Rebuild  rebuildCommand  `cmd:"" help:"Rebuild the read models beside the live ones, compare both, and switch."`
	Verify   verifyCommand   `cmd:"" help:"Check the log, compare its index and the read models with it, and list every fault."`
	Backup   backupCommand   `cmd:"" help:"Write the desk to one file, also while it is served; without the master key."`
	Restore  restoreCommand  `cmd:"" help:"Check a file that backup wrote, and make a data folder of it."`
	Key      keyCommand      `cmd:"" help:"Create, list and revoke API keys; replace the master key."`
	Vault    vaultCommand    `cmd:"" help:"Mend a vault that is older than the log."`
	Simulate simulateCommand `cmd:"" help:"Fill a desk with made-up data for some days."`
	Version  versionCommand  `cmd:"" help:"Print the version."`

	Shown  kong.VersionFlag `name:"version" help:"Print the version."`
	Config kong.ConfigFlag  `help:"YAML file of settings, with the names of the flags. Flags and environment variables take precedence." env:"DAYBOOK_CONFIG" type:"existingfile" placeholder:"FILE"`
}

// folder says where a desk keeps its files. Every command that works on a desk embeds it.
type folder struct {
	Data       string   `help:"Data folder of the desk: events.db, readmodels-N.db, vault.db and vault.key. Back up all of it together: without vault.key, no personal text can be read again." default:"./data" env:"DAYBOOK_DATA" type:"path"`
	Events     string   `help:"Database of the log, if it is not in the data folder: PostgreSQL (postgres://…) or EventStoreDB (esdb://…, esdb+discover://…). The vault belongs to this log only." env:"DAYBOOK_EVENTS" placeholder:"URL"`
	Vault      string   `help:"Database of the vault: sqlite (vault.db in the data folder), or PostgreSQL (postgres://…), which processes on several machines can share. Its master key is in the environment variable DAYBOOK_MASTER_KEY, in the systemd credential daybook-master-key, or in vault.key in the data folder." default:"sqlite" env:"DAYBOOK_VAULT" placeholder:"URL"`
	ReadModels string   `help:"Database of the read models, if they are not in the data folder: PostgreSQL (postgres://…)." env:"DAYBOOK_READ_MODELS" placeholder:"URL"`
	Reporting  string   `help:"Schema of the views that dashboards read, in the database of the read models. What Daybook did not make there is never changed." default:"reporting" env:"DAYBOOK_REPORTING" placeholder:"NAME"`
	Zone       timeZone `help:"IANA time zone of the days in the table agent_days, which dashboards read, such as Europe/Rome. All processes and commands of a desk need the same: with another one, read models are built anew. Reports ask for a zone of their own." default:"UTC" env:"DAYBOOK_ZONE" placeholder:"NAME"`

	Lease time.Duration `help:"How long a process that projects read models to PostgreSQL, or runs an operation, may be silent before another process takes over." default:"10s" env:"DAYBOOK_LEASE"`
}

func (f folder) path(name string) string { return filepath.Join(f.Data, name) }

// terminal is a command's output: data goes to out, messages to talk.
type terminal struct {
	out, talk io.Writer
}

// status is an error with its own exit status.
type status struct {
	code int
	error
}

// The exit statuses, besides 0 for success.
const (
	failed       = 1
	wrongUsage   = 2
	notFound     = 3
	conflict     = 4
	notAsItIs    = 5 // the read models differ from the log
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
	case errors.As(err, &no) && no.Refusal == domain.RefusedInvalid:
		return wrongUsage
	case errors.As(err, &no) && no.Refusal == domain.RefusedConflict, errors.Is(err, sqlite.ErrInUse), errors.Is(err, lock.ErrHeld):
		return conflict
	}
	return failed
}

// run runs a command line. It is main without signals and exit status.
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
	for _, arg := range args { // of what is no text, kong makes text
		if !utf8.ValidString(arg) {
			return status{wrongUsage, errors.New("an argument is not UTF-8: type it in a terminal that is set to UTF-8")}
		}
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

// yamlSettings reads settings from a YAML file. Environment variables take precedence.
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
