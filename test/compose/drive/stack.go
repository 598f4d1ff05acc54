package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// stack is the project under test.
type stack struct {
	tool []string // its compose command
	work string   // folder for keys
}

// every is how often Docker is asked for what it does not announce.
const every = 500 * time.Millisecond

func (s stack) compose(ctx context.Context, args ...string) (string, error) {
	return command(ctx, slices.Concat(s.tool, args)...)
}

func command(ctx context.Context, args ...string) (string, error) {
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, complaints.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// container is what Docker knows of one; the name says which copy of which service it is.
type container struct {
	ID    string `json:"Id"`
	Name  string
	State struct {
		Status   string
		ExitCode int
		Health   struct{ Status string } // empty where there is no health check
	}
	Config struct {
		User   string
		Labels map[string]string
	}
	Mounts []struct{ Name string }
}

func (s stack) containers(ctx context.Context, services ...string) (all []container, err error) {
	ids, err := s.compose(ctx, append([]string{"ps", "-q", "-a"}, services...)...)
	if err != nil || ids == "" {
		return nil, err
	}
	out, err := command(ctx, append([]string{"docker", "inspect"}, strings.Fields(ids)...)...)
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal([]byte(out), &all)
}

// healthy returns when every container that has a health check passes it.
func (s stack) healthy(ctx context.Context, services ...string) error {
	return until(ctx, func() (missing string, err error) {
		all, err := s.containers(ctx, services...)
		for _, c := range all {
			if c.State.Health.Status != "healthy" && c.State.Health.Status != "" {
				missing += fmt.Sprintf("%s is %s and %s; ", c.Name, c.State.Status, c.State.Health.Status)
			}
		}
		return missing, err
	})
}

// until asks until nothing is missing, or ctx ends.
func until(ctx context.Context, ask func() (missing string, err error)) error {
	return backoff.Retry(func() error {
		missing, err := ask()
		switch {
		case err != nil:
			return backoff.Permanent(err)
		case missing != "":
			return errors.New(missing)
		}
		return nil
	}, backoff.WithContext(backoff.NewConstantBackOff(every), ctx))
}

// replacePoller starts a second poller and kills the one that was there.
func (s stack) replacePoller(ctx context.Context) error {
	first, err := s.scalePoller(ctx, 1)
	if err != nil {
		return err
	}
	if _, err := s.scalePoller(ctx, 2); err != nil {
		return err
	}
	_, err = command(ctx, "docker", "kill", first[0].ID)
	return err
}

// scalePoller returns when so many pollers are healthy.
func (s stack) scalePoller(ctx context.Context, copies int) ([]container, error) {
	scale := fmt.Sprintf("poller=%d", copies)
	if _, err := s.compose(ctx, "up", "-d", "--no-build", "--no-recreate", "--scale", scale, "poller"); err != nil {
		return nil, err
	}
	if err := s.healthy(ctx, "poller"); err != nil {
		return nil, err
	}
	pollers, err := s.containers(ctx, "poller")
	if err == nil && len(pollers) != copies {
		err = fmt.Errorf("asked for %s, got %d", scale, len(pollers))
	}
	return pollers, err
}

// drained stops the stack and checks that every container ended by itself.
func (s stack) drained(ctx context.Context) error {
	if _, err := s.compose(ctx, "stop"); err != nil {
		return err
	}
	all, err := s.containers(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range all {
		if c.State.ExitCode != 0 {
			errs = append(errs, fmt.Errorf("%s ended with exit code %d, not 0", c.Name, c.State.ExitCode))
		}
	}
	return errors.Join(errs...)
}

// demoSecret is every password of deploy/secrets.sample.
const demoSecret = "demo-secret"

// keptSecrets looks for a password in what every service but the sandbox, whose demo it is, has logged.
func (s stack) keptSecrets(ctx context.Context) error {
	names, err := s.compose(ctx, "config", "--services")
	if err != nil {
		return err
	}
	services := slices.DeleteFunc(strings.Fields(names), func(name string) bool { return name == "sandbox" })
	logs, err := s.compose(ctx, append([]string{"logs", "--no-color"}, services...)...)
	if err != nil {
		return err
	}
	for line := range strings.Lines(logs) {
		if strings.Contains(line, demoSecret) {
			return fmt.Errorf("a password is in a log: %s", strings.ReplaceAll(line, demoSecret, "***"))
		}
	}
	if !strings.Contains(logs, "poller") {
		return errors.New("the pollers have logged nothing")
	}
	return nil
}
