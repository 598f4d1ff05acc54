package bench

import (
	"context"
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
