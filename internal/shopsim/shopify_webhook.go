package shopsim

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// Subscription sends a topic to an address.
type Subscription struct {
	ID         int64
	Topic, URL string
}

// repeatAfter are the pauses before the repeats of a webhook: eight within four hours.
var repeatAfter = []time.Duration{time.Minute, 4 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, 45 * time.Minute, time.Hour, 75 * time.Minute}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Subscribe makes a subscription of the app, such as of orders/create.
func (s *Shopify) Subscribe(topic, url string) Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := Subscription{s.nextID(), topic, url}
	s.subscriptions = append(s.subscriptions, sub)
	return sub
}

// Subscriptions gives those that have not been deleted.
func (s *Shopify) Subscriptions() []Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.subscriptions)
}

func (s *Shopify) subscribed(sub Subscription) bool { return slices.Contains(s.Subscriptions(), sub) }

// announce queues a webhook to every subscription of the topic, with the contents as they are now. It needs mu.
func (s *Shopify) announce(topic string, contents any) {
	body, err := json.Marshal(contents)
	if err != nil {
		panic("shopsim: an edited order is no JSON: " + err.Error())
	}
	event := rand.Text()
	for _, sub := range s.subscriptions {
		if sub.Topic == topic {
			header := s.header(topic, event, body)
			s.outbox.add(func() { s.deliver(sub, header, body) })
		}
	}
}

func (s *Shopify) header(topic, event string, body []byte) http.Header {
	mac := hmac.New(sha256.New, []byte(s.cfg.Secret))
	mac.Write(body)
	h := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Shopify-Captain-Hook"}}
	for name, value := range map[string]string{
		"Topic": topic, "Shop-Domain": s.cfg.Domain, "API-Version": "2026-10", "Webhook-Id": rand.Text(), "Event-Id": event,
		"Triggered-At": s.cfg.Now().UTC().Format(time.RFC3339Nano), "Hmac-Sha256": base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	} {
		h.Set("X-Shopify-"+name, value)
	}
	return h
}

// deliver makes the first attempt, and repeats it beside the queue if it failed.
func (s *Shopify) deliver(sub Subscription, header http.Header, body []byte) {
	taken := func() bool { return s.post(sub.Topic, sub.URL, header, body).Succeeded(300) }
	if taken() {
		if s.cfg.DeliveredTwice {
			taken()
		}
		return
	}
	s.also(func() {
		for _, pause := range repeatAfter {
			if s.cfg.BeforeRepeat(s.ctx, pause) != nil || !s.subscribed(sub) || taken() {
				return
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.subscriptions = slices.DeleteFunc(s.subscriptions, func(other Subscription) bool { return other == sub })
	})
}
