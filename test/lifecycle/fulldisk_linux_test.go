package lifecycle

import (
	"fmt"
	"os"
	ossignal "os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/invoicer"
)

// A write that fails, as on a full disk, makes the broker refuse every later write to the stream, also when there is room again.
// A payment made meanwhile is fetched, so that it is not reversed, and recorded when the broker stores again, by itself.
func TestPaymentDuringAFullDiskIsRecordedOnceThereIsRoom(t *testing.T) {
	r := start(t)
	const fileSize = 1 << 20 // more than go test's own log of the files that these tests open
	o := rig.Order("1001", "10")
	o.Rows[0].Description = strings.Repeat("x", 450)
	for range 200 {
		more := o.Rows[0]
		more.Total = rig.Amount("0")
		o.Rows = append(o.Rows, more)
	}
	for n := range 12 { // so the file of INVOICES gets larger than that
		o.OrderID = fmt.Sprint("other", n)
		r.Place(o)
		r.Wait(o.OrderID, events.EventIssued)
	}
	o.OrderID = "1001"
	r.Place(o)
	reference := r.Wait("1001", events.EventIssued).InvoiceReference

	ignored := make(chan os.Signal, 1)
	ossignal.Notify(ignored, syscall.SIGXFSZ)
	defer ossignal.Stop(ignored)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: fileSize, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	room := func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
	}
	defer room()
	r.Pay(reference)
	r.waitUntil(func() bool { return r.Bus.Ready(t.Context(), invoicer.Name, invoicer.Consumers()) != nil })
	if err := r.Bus.Ready(t.Context(), invoicer.Name, invoicer.Consumers()); err == nil || !strings.Contains(err.Error(), "was not acknowledged") {
		t.Errorf("ready: %v", err)
	}
	if err := r.Bus.Room(t.Context(), 1000); err == nil {
		t.Error("something new may begin while the broker stores nothing")
	}
	if got := r.History("1001"); len(got) != 1 {
		t.Errorf("recorded without room: %v", got)
	}

	room()
	r.Wait("1001", events.EventReceipted)
	if l := r.Sandbox.Ledger(); len(l.Reversals) != 0 || len(l.Invoices) != 13 {
		t.Errorf("%d reversals, %d invoices", len(l.Reversals), len(l.Invoices))
	}
	r.Place(rig.Order("1002", "10"))
	r.pay("1002")
	r.Wait("1002", events.EventReceipted)
	if err := r.Bus.Ready(t.Context(), invoicer.Name, invoicer.Consumers()); err != nil {
		t.Errorf("after the disk has room: %v", err)
	}
}
