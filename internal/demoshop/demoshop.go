// Package demoshop runs stand-ins of shops' systems (internal/shopsim) beside the program, joined to it as real shops are: their orders
// go in by signed webhooks, and what happens to the invoices comes back through the shop's own API.
//
//	demoshop.go  the address of a stand-in, and its secrets
//	systems.go   WooCommerce with its small shop to click through, and Shopify
//
// A stand-in is opened before the program starts, which is told its connection, and joined when the program runs:
//
//	shop, err := demoshop.OpenWoo(demoshop.Config{…})
//	options.Connections.Connections[shop.ID] = shop.Connection
//	… // start the program
//	err = shop.Join(gateway)
//
// Its orders are in memory: they are gone when it is closed.
package demoshop

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/secretfile"
)

// Config of one stand-in.
type Config struct {
	ID       string // the shop's id
	Listen   string // address where its pages and its API are served, which --shop-listen sets; port 0 is a free one
	Folder   string // of its secrets, which are made if they are not there
	Currency string // the stand-in's own unless given
}

// standIn is what all kinds of stand-ins share.
type standIn struct {
	Config
	URL        string                 // by which this machine reaches it
	Connection connections.Connection // how it is joined, for connections.File
	listener   net.Listener
	end        func() error // ends the answering, once that has begun
}

// secret is a secret of the shop: its value, and its file for the connection.
type secret struct {
	value string
	file  connections.SecretFiles
}

// open gives the secrets with the names, and takes connections at the address.
func (s *standIn) open(names ...string) (all []secret, err error) {
	for _, name := range names {
		file := filepath.Join(s.Folder, name)
		if err := secretfile.Make(file); err != nil {
			return nil, fmt.Errorf("the shop %s: %w", s.ID, err)
		}
		value, err := secretfile.Text(file)
		if err != nil {
			return nil, fmt.Errorf("the shop %s: %w", s.ID, err)
		}
		all = append(all, secret{value, connections.SecretFiles{file}})
	}
	s.listener, s.URL, err = app.Listen("--shop-listen", s.Listen)
	return all, err
}

// answerTime is how long an answer may take.
const answerTime = 30 * time.Second

// serve answers requests, also those that have come since the listener is there.
func (s *standIn) serve(h http.Handler) {
	s.end = app.Serve(s.listener, h, answerTime, func(error) {}) // who uses the shop sees that it does not answer
}

// close ends the answering, if it has begun.
func (s *standIn) close() error {
	if s.end == nil {
		return s.listener.Close()
	}
	return s.end()
}
