package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/metrics"
	"time"

	"github.com/prometheus/procfs"
)

// Memory of a process in bytes; what the system does not tell is 0.
type Memory struct {
	PeakRSS  uint64 `json:"peakRssBytes"`
	PeakHeap uint64 `json:"peakHeapBytes"`
}

func (m Memory) String() string {
	if m.PeakRSS == 0 {
		return fmt.Sprintf("heap %.0f MB at most", mb(m.PeakHeap))
	}
	return fmt.Sprintf("resident %.0f MB, heap %.0f MB at most", mb(m.PeakRSS), mb(m.PeakHeap))
}

func mb(bytes uint64) float64 { return float64(bytes) / 1e6 }

const (
	heapInUse   = "/memory/classes/heap/objects:bytes"
	heapSampled = 50 * time.Millisecond
)

// heapWatch samples the heap of this process every 50 ms, and keeps the largest.
type heapWatch struct {
	stop context.CancelFunc
	peak chan uint64
}

func watchHeap(ctx context.Context) heapWatch {
	ctx, stop := context.WithCancel(ctx)
	h := heapWatch{stop, make(chan uint64, 1)}
	go func() {
		tick := time.NewTicker(heapSampled)
		defer tick.Stop()
		sample, most := []metrics.Sample{{Name: heapInUse}}, uint64(0)
		for {
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
			select {
			case <-ctx.Done():
				h.peak <- most
				return
			case <-tick.C:
			}
		}
	}()
	return h
}

// end ends the sampling and gives the peaks. That of the resident memory counts from the start of the process.
func (h heapWatch) end() Memory {
	h.stop()
	return Memory{PeakRSS: status(os.Getpid()).VmHWM, PeakHeap: <-h.peak}
}

// status of a process; its sizes are in bytes. Everything is 0 where the system is not Linux.
func status(pid int) procfs.ProcStatus {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return procfs.ProcStatus{}
	}
	s, _ := p.NewStatus() // zero where it can't be read
	return s
}

// cpuTime is what a process has used of all processors together; 0 where the system is not Linux.
func cpuTime(pid int) time.Duration {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0
	}
	s, _ := p.Stat() // zero where it can't be read
	return time.Duration(s.CPUTime() * float64(time.Second))
}

const (
	probes    = 300
	probeSize = 1 << 10
)

// probeDisk measures an append of 1 KiB with its fsync, which bounds everything that is durable.
func probeDisk(folder string) (q Quantiles, err error) {
	f, err := os.CreateTemp(folder, "seqrflow-probe-")
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
