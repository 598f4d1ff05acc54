// Package cli is the command line: one file per command, each a struct whose fields are its flags, with
//
//	Help      what it does, and examples
//	Validate  which flags exclude each other; a mistake ends the program with exit code 2
//	Run       does it, until the context ends where the command serves or watches; a Run that asks for the bus is given one that is
//	          connected to the broker of the flags
//
// cli.go has the list of commands and runs the one that was named; settings.go reads the settings file; broker.go and stack.go
// are what commands share; the package term writes for people.
package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/internal/natsauth"
)

// root is every command, in the order of --help.
type root struct {
	Config kong.ConfigFlag `env:"SEQRFLOW_CONFIG" placeholder:"FILE" help:"Settings file (YAML): any flag by its name, and shops: with the shops' credentials."`

	Demo    demoCmd    `cmd:"" group:"begin" help:"Run a day of a few shops in seconds: orders, buyers, refunds, a closing balance."`
	Up      upCmd      `cmd:"" group:"begin" help:"Run everything in this process: broker, sandbox, all workers."`
	Run     runCmd     `cmd:"" group:"begin" help:"Run some of the workers against a broker and a provider."`
	Sandbox sandboxCmd `cmd:"" group:"begin" help:"Run the stand-in for the provider alone."`

	Order orderCmd `cmd:"" group:"orders" help:"Place, cancel or return an order."`
	Watch watchCmd `cmd:"" group:"orders" help:"Watch events as they happen."`
	Show  showCmd  `cmd:"" group:"orders" help:"Show everything that happened to one invoice, and why."`

	Ask askCmd `cmd:"" group:"orders" help:"Ask the provider about one invoice now, and show the answer beside what is recorded."`

	Refunds    refundsCmd    `cmd:"" group:"operate" help:"See and settle refunds whose outcome is not known."`
	Parked     parkedCmd     `cmd:"" group:"operate" help:"See, replay and dismiss what a worker could not handle."`
	Deliveries deliveriesCmd `cmd:"" group:"operate" help:"See what shops' own systems were told, and tell them again."`
	Close      closeCmd      `cmd:"" group:"operate" help:"Close a period and compare our ledger with the provider's."`
	Periods    periodsCmd    `cmd:"" group:"operate" help:"See the periods that were closed."`
	Certify    certifyCmd    `cmd:"" group:"operate" help:"Run the provider's certification procedure and keep the evidence."`
	Broker     brokerCmd     `cmd:"" group:"operate" help:"Write the broker's configuration, and make its streams."`
	Doctor     doctorCmd     `cmd:"" group:"operate" help:"Check the set-up and say how to mend it."`
	Health     healthCmd     `cmd:"" group:"operate" help:"Say whether a worker or a broker is ready, for container health checks."`
	Bench      benchCmd      `cmd:"" group:"operate" help:"Measure it on this machine: orders a second, punctuality, memory."`
	Version    versionCmd    `cmd:"" group:"operate" help:"Say which version this is."`
}

// Validate refuses an id, or another text that has to be given, that the command line gives as "": a script's variable that is not set
// would choose every shop.
func (root) Validate(k *kong.Context) error {
	for _, at := range k.Path {
		f := at.Flag
		if f != nil && !at.Resolved && (f.Required || f.PlaceHolder == "ID") && f.Target.Kind() == reflect.String && strings.TrimSpace(f.Target.String()) == "" {
			return fmt.Errorf("--%s: expected a text, got \"\"", f.Name)
		}
	}
	return nil
}

const about = `Turns shop orders into SEQR invoices, watches them until the buyer has paid, sends the receipt, and cancels or refunds when the shop says so.

Settings: flags win over the environment (SEQRFLOW_…), the environment over the settings file. Start with "seqrflow demo", then "seqrflow up".`

// console is what a command talks to.
type console struct {
	ctx      context.Context
	in       io.Reader
	out      io.Writer
	terminal bool // out is one
	err      io.Writer
	settings string // the settings file, if any
	lines    term.Lines
}

func (c *console) say(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }

// table prints rows under a head; the columns of right are numbers.
func (c *console) table(head []string, rows [][]string, right ...int) {
	term.Table(c.out, c.paint(), head, rows, right...)
}

// list is what a command lists: as a table, or as one JSON object per line.
type list[T any] struct {
	all   []T
	none  string // what is said of an empty list
	head  []string
	row   func(T) []string
	right []int // columns that are numbers
}

func (l list[T]) print(c *console, asJSON bool) error {
	if asJSON {
		for _, v := range l.all {
			if err := c.json(v); err != nil {
				return err
			}
		}
		return nil
	}
	if len(l.all) == 0 {
		c.say("%s", l.none)
		return nil
	}
	var rows [][]string
	for _, v := range l.all {
		rows = append(rows, l.row(v))
	}
	c.table(l.head, rows, l.right...)
	return nil
}

// report prints the result of a command: as one JSON object, or by text. A command whose result is not good ends with exit code 1.
func (c *console) report(result any, asJSON, good bool, text func()) error {
	if !asJSON {
		text()
	} else if err := c.json(result); err != nil {
		return err
	}
	if !good {
		return errReported
	}
	return nil
}

// facts prints names, padded to width, with what is known of each; those of which nothing is known are left out.
func (c *console) facts(width int, all [][2]string) {
	for _, f := range all {
		if f[1] != "" {
			c.say("  %s %s", term.Pad(f[0], width), term.Clean(f[1]))
		}
	}
}

// json prints v on a line of its own.
func (c *console) json(v any) error { return json.NewEncoder(c.out).Encode(v) }

// confirm asks a person; where there is none the answer is no.
func (c *console) confirm(what string) bool {
	if !term.IsTerminal(c.in) {
		return false
	}
	fmt.Fprintf(c.err, "%s Go on? [y/N] ", what)
	answer, err := bufio.NewReader(c.in).ReadString('\n')
	return err == nil && strings.EqualFold(strings.TrimSpace(answer), "y")
}

func (c *console) paint() term.Paint { return c.lines.Paint }

// usageError is a command that was not given what it needs: exit code 2.
type usageError struct{ error }

func wrongUsage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errReported ends a command with exit code 1 when all there is to say has been printed.
var errReported = errors.New("failed")

// brokenPipe is the exit code of a process that SIGPIPE ends, which is what a shell expects.
const brokenPipe = 128 + int(syscall.SIGPIPE)

// Run is the program: 0 is good, 1 is failed, 2 is wrong usage.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	var r root
	helped := false
	k, err := parser(&r, stdout, stderr, func(int) { helped = true }) // after --help, kong would end the process
	if err != nil {
		fmt.Fprintf(stderr, "seqrflow: %v\n", err)
		return 1
	}
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help": // as other programs have it
		args = append(slices.Clone(args[1:]), "--help")
	}
	parsed, err := k.Parse(args)
	switch {
	case helped:
		return 0
	case errors.Is(err, syscall.EPIPE):
		return brokenPipe // --help | head
	case err != nil:
		fmt.Fprintf(stderr, "seqrflow: %v\n%s\n", err, hint(err))
		return 2
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	out := &printer{to: stdout, stop: stop}
	c := &console{ctx: ctx, in: stdin, out: out, terminal: term.IsTerminal(stdout), err: stderr, settings: string(r.Config), lines: term.Lines{Paint: term.PaintFor(stdout)}}
	err = c.run(parsed)
	if lost := out.failed(); errors.Is(lost, syscall.EPIPE) {
		return brokenPipe // the reader has seen enough: | head
	} else if lost != nil {
		err = lost // whatever else went wrong followed from it
	}
	return c.exitCode(bus.Explain(err))
}

// run runs the command. One whose Run asks for the bus is connected to the broker that its flags name.
func (c *console) run(parsed *kong.Context) error {
	var b *bus.Bus
	defer func() {
		if b != nil {
			b.Close()
		}
	}()
	err := parsed.BindToProvider(func() (*bus.Bus, error) {
		var err error
		b, err = parsed.Selected().Target.Interface().(interface {
			connect(*console) (*bus.Bus, error)
		}).connect(c)
		return b, err
	})
	if err != nil {
		return err
	}
	return parsed.Run(c)
}

// tellSlow says what is waited for, unless it is done within 2 s. Nothing is written once done has returned.
func (c *console) tellSlow(what string) (done func()) {
	told := make(chan struct{})
	t := time.AfterFunc(tellAfter, func() {
		defer close(told)
		fmt.Fprintln(c.err, what)
	})
	return sync.OnceFunc(func() {
		if !t.Stop() {
			<-told
		}
	})
}

// tellAfter is how long a command may be silent.
const tellAfter = 2 * time.Second

// printer remembers that something could not be printed: a full disk is no success. It then stops the command.
type printer struct {
	to   io.Writer
	stop func()
	mu   sync.Mutex
	err  error
}

func (p *printer) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.err = err
		p.stop()
	}
	return n, err
}

func (p *printer) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (c *console) exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errReported):
		return 1
	}
	fmt.Fprintf(c.err, "seqrflow: %s\n", lines(err.Error()))
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

func parser(r *root, stdout, stderr io.Writer, exit func(int)) (*kong.Kong, error) {
	k, err := kong.New(r, kong.Name("seqrflow"), kong.Description(about), kong.Writers(stdout, stderr),
		kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 110}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "begin", Title: "Run it:"},
			{Key: "orders", Title: "Feed it and watch it:"},
			{Key: "operate", Title: "Operate it:"},
			{Key: "order", Title: "An order without a file:"},
		}),
		kong.Configuration(settingsFile))
	if err != nil {
		return nil, err
	}
	hide(k, "up", append(natsauth.CredentialFlags(), "nats", "replicas", "provider", "provider-http")...)
	return k, nil
}

// hide leaves flags of shared settings out of the help of a command that they do not concern.
func hide(k *kong.Kong, command string, flags ...string) {
	for _, n := range k.Model.Children {
		for _, f := range n.Flags {
			f.Hidden = f.Hidden || n.Name == command && slices.Contains(flags, f.Name)
		}
	}
}

// hint points to the help of the command that was meant.
func hint(err error) string {
	command := ""
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if n := parse.Context.Selected(); n != nil {
			command = n.Path()
		}
	}
	return strings.TrimSpace("Try: "+strings.TrimSpace("seqrflow "+strings.TrimPrefix(command, "seqrflow "))) + " --help"
}
