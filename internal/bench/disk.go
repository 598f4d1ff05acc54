package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	probes    = 300
	probeSize = 1 << 10
)

// probeDisk measures an append of 1 KiB with its fsync, which bounds everything that is durable.
func probeDisk(folder string) (q Quantiles, err error) {
	f, err := os.Create(filepath.Join(folder, "probe"))
	if err != nil {
		return q, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block, all := make([]byte, probeSize), make([]time.Duration, 0, probes)
	for range probes {
		begun := time.Now()
		if _, err := f.Write(block); err != nil {
			return q, err
		}
		if err := f.Sync(); err != nil {
			return q, err
		}
		all = append(all, time.Since(begun))
	}
	return quantiles(all), nil
}

// folder makes a fresh folder under parent, or where the system keeps temporary files.
func folder(parent string) (path string, remove func() error, err error) {
	if parent != "" {
		if err := os.MkdirAll(parent, 0o700); err != nil {
			return "", nil, fmt.Errorf("--data: %w", err)
		}
	}
	path, err = os.MkdirTemp(parent, "seqrflow-bench-")
	return path, func() error { return os.RemoveAll(path) }, err
}
