package bench

import (
	"bytes"
	"context"
	"os"
	"runtime/metrics"
	"strconv"
	"time"
)

// Memory of a process in bytes; what the system does not tell is 0.
type Memory struct {
	PeakRSS  uint64 `json:"peakRssBytes"`
	PeakHeap uint64 `json:"peakHeapBytes"`
}

// self names this process under /proc.
const self = "self"

const (
	heapInUse  = "/memory/classes/heap/objects:bytes"
	heapGlance = 50 * time.Millisecond
)

// heapWatch notes the largest heap of this process until it is asked.
type heapWatch struct {
	stop context.CancelFunc
	peak chan uint64
}

func watchHeap(ctx context.Context) heapWatch {
	ctx, stop := context.WithCancel(ctx)
	h := heapWatch{stop, make(chan uint64, 1)}
	go func() {
		tick := time.NewTicker(heapGlance)
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

// end gives the peaks. That of the resident memory is the whole process's since its start.
func (h heapWatch) end() Memory {
	h.stop()
	return Memory{PeakRSS: statusBytes(self, "VmHWM"), PeakHeap: <-h.peak}
}

// statusBytes reads a size from a process's status, where the system is Linux.
func statusBytes(pid, field string) uint64 {
	body, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(body) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if fields := bytes.Fields(value); string(name) == field && len(fields) > 0 {
			kib, _ := strconv.ParseUint(string(fields[0]), 10, 64) // 0 where it is no number: not told
			return kib << 10
		}
	}
	return 0
}

// clockTick is the unit in which Linux tells a process's time to programs, on every machine.
const clockTick = 10 * time.Millisecond

// cpuTime is what a process has used of all processors together, where the system is Linux.
func cpuTime(pid string) time.Duration {
	body, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0
	}
	// The name, in brackets, may hold anything; the state and ten more fields come before the times.
	fields := bytes.Fields(body[bytes.LastIndexByte(body, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	ticks := uint64(0)
	for _, f := range fields[11:13] {
		n, _ := strconv.ParseUint(string(f), 10, 64) // 0 where it is no number: not told
		ticks += n
	}
	return time.Duration(ticks) * clockTick
}
