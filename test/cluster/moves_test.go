package cluster

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/test/procs"
)

// movesLast is how long leaders are moved.
const movesLast = 15 * time.Second

// moveLeaders has the leaders of all streams and consumers step down at once, again and again, and waits until the work goes on.
func (c *cluster) moveLeaders(every time.Duration) {
	c.t.Helper()
	var moved atomic.Int64
	led := c.led()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for end := time.Now().Add(movesLast); time.Now().Before(end); <-tick.C {
		var asked sync.WaitGroup
		for _, name := range led {
			asked.Go(func() {
				if c.stepDown(name) {
					moved.Add(1)
				}
			})
		}
		asked.Wait()
	}
	c.waitForMore("events after the leaders moved", *rate)
	c.t.Logf("leaders stepped down %d times", moved.Load())
}

// led gives the names of all streams, and of their durables after that of the stream and a dot.
func (c *cluster) led() (all []string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), procs.Patience)
	defer cancel()
	for _, cfg := range bus.Streams(len(c.brokers)) {
		s, err := c.js.Stream(ctx, cfg.Name)
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, cfg.Name)
		list := s.ListConsumers(ctx)
		for consumer := range list.Info() {
			if consumer.Config.Durable != "" {
				all = append(all, cfg.Name+"."+consumer.Name)
			}
		}
		if err := list.Err(); err != nil {
			c.t.Fatal(err)
		}
	}
	return all
}

// stepDown asks a leader to step down; false means that there was none to ask.
func (c *cluster) stepDown(name string) bool {
	kind := "STREAM"
	if strings.Contains(name, ".") {
		kind = "CONSUMER"
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
	defer cancel()
	answer, err := c.js.Conn().RequestWithContext(ctx, "$JS.API."+kind+".LEADER.STEPDOWN."+name, nil)
	return err == nil && bytes.Contains(answer.Data, []byte(`"success":true`))
}
