package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seqrflow/seqrflow/internal/buildinfo"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/watching"
)

// Listen takes connections at the address, which the flag sets, and gives the URL by which this machine reaches it.
func Listen(flag, addr string) (l net.Listener, url string, err error) {
	l, err = net.Listen("tcp", addr)
	if err != nil {
		return nil, "", fmt.Errorf("cannot listen on %s (choose another address with %s): %w", addr, flag, err)
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, "", errors.Join(err, l.Close())
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return l, "http://" + net.JoinHostPort(host, port), nil
}

const (
	headerTime  = 10 * time.Second // for a request's header to arrive
	requestTime = 30 * time.Second // for all of a request to arrive
	answerTime  = 30 * time.Second // from a request's header to the end of its answer
	idleTime    = 2 * time.Minute  // for a connection without a request
	maxHeader   = 64 << 10         // bytes
)

// AnswerAnyTime is no limit for answers: the sandbox delays them for as long as its faults say.
const AnswerAnyTime = 0

// Serve answers requests until it is ended; requests in hand are given a moment to finish. A client that is slower than the limits,
// of which answerWithin is the one for the answer, loses its connection. If it can't go on, it calls failed.
func Serve(l net.Listener, h http.Handler, answerWithin time.Duration, failed func(error)) (end func() error) {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: answerWithin, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed(err)
		}
	}()
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := srv.Shutdown(ctx)
		if err != nil {
			err = srv.Close()
		}
		<-done
		return err
	}
}

// buildMetric tells which version runs.
func buildMetric() prometheus.Collector {
	b := buildinfo.Read()
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "seqrflow", Name: "build_info",
		Help: "Always 1; the labels are the version of the program and the commit it was built from."}, []string{"version", "revision"})
	g.WithLabelValues(b.Version, b.Revision).Set(1)
	return g
}

func startHTTP(_ context.Context, s *Stack) (func() error, error) {
	l, url, err := Listen("--http-listen", s.opts.HTTPListen)
	if err != nil {
		return nil, err
	}
	s.URLs.HTTP = url
	s.Registry.MustRegister(bus.NewParkedGauge(s.Bus))
	open := watching.NewGauge(s.Bus)
	if err := open.Register(s.Registry); err != nil {
		return nil, err
	}
	counting := s.background(open.Run)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Bus.Ready(r.Context(), cmp.Or(s.writesAs, "gateway"), slices.Concat(s.consumers, s.connected)); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{}))
	serving := Serve(l, mux, answerTime, s.fail)
	return func() error { return errors.Join(serving(), counting()) }, nil
}
