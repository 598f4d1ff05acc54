package sandbox

import (
	"cmp"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/govalues/decimal"
)

// kind is a row of the table of reports.
type kind struct {
	id, root, title string
	oneTerminal     bool
	rows            func(*writer, []booking)
}

// kinds is every report that the provider has; read only.
var kinds = []kind{
	{"Reconciliation/Shop.xml", "ResellerTransactionSummary", "Shop", false, writeWhole},
	{"Reconciliation/STD_RECON_002.xml", "TerminalTransactionSummary", "STD_RECON_002", false, writeByTerminal},
	{"Reconciliation/STD_RECON_003.xml", "TransactionDetails", "STD_RECON_003", false, writeDetails},
	{"Reconciliation/STD_RECON_004.xml", "TerminalTransactionSummary", "STD_RECON_004", true, writeByTerminal},
	{"Reconciliation/STD_RECON_006.xml", "CashierTransactionSummary", "STD_RECON_006", true, writeByCashier},
	{"Reconciliation/STD_RECON_007.xml", "TransactionDetails", "STD_RECON_007", true, writeDetails},
}

// executeReport reports what was booked in a period; without a transactionPeriodId, in the last of the scope. A report of one
// terminal needs a period that was marked for that terminal: of any other it is never ready. The first call for a period
// is always too early, and so is every call within three seconds of the mark.
func executeReport(c *call) reply {
	params := parameters(c.request)
	reseller, terminal, refused := c.scope(params["TERMINALID"])
	if refused.code != success {
		return refused
	}
	at := slices.IndexFunc(kinds, func(k kind) bool { return k.id == c.request.word("reportId") })
	if at < 0 {
		return refuse(rejectedBusinessLogic, "there is no such report")
	}
	period := c.st.marks[scopeOf(reseller, terminal)]
	if id := params["transactionPeriodId"]; id != "" {
		period = c.st.periods[id]
	}
	if period == nil || period.Reseller != reseller || period.Terminal != "" && terminal != "" && period.Terminal != terminal {
		return refuse(rejectedBusinessLogic, "there is no such transactionPeriodId here")
	}
	if c.terminal == nil && terminal == "" {
		terminal = period.Terminal
	}
	if kinds[at].oneTerminal && terminal == "" {
		return refuse(rejectedBusinessLogic, "this report needs the parameter TERMINALID")
	}
	if terminal != "" && period.Terminal == "" {
		return reply{code: reportNotReady, note: "the period was marked without TERMINALID"}
	}
	now := c.clock.now()
	if !c.st.asked[period.TransactionPeriodID] {
		return reply{code: reportNotReady, written: c.commit(&effect{What: "report asked", Asked: period.TransactionPeriodID})}
	}
	if now.Before(period.MarkedAt.Add(reportDelay)) {
		return reply{code: reportNotReady}
	}
	r := report{kind: &kinds[at], reseller: reseller, terminal: terminal, period: period.TransactionPeriodID, at: now,
		bookings: c.st.bookings[period.From:period.To]}
	return reply{fields: r.write}
}

// report is a report to be written, from bookings that no longer change.
type report struct {
	*kind
	reseller, terminal, period string
	at                         time.Time
	bookings                   []booking
}

func (r report) write(w *writer) {
	doc := r.document()
	w.open("report")
	w.leaf("title", r.title+"_"+r.period+".xml")
	w.leaf("mimeType", "text/html")
	w.leaf("content", base64.StdEncoding.EncodeToString(doc))
	w.leaf("contentString", string(doc))
	w.close("report")
}

func (r report) document() []byte {
	var mine []booking
	for _, b := range r.bookings {
		if b.within(r.reseller, r.terminal) {
			mine = append(mine, b)
		}
	}
	w := &writer{}
	w.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	w.open(r.root)
	w.WriteString("\n")
	w.open("Meta")
	w.leaf("ResellerId", r.reseller)
	w.optional("TerminalId", r.terminal)
	w.leaf("TransactionPeriodId", r.period)
	w.leaf("GeneratedAt", r.at.Format("2006-01-02 15:04"))
	w.close("Meta")
	w.WriteString("\n")
	r.rows(w, mine)
	w.close(r.root)
	return w.Bytes()
}

// writeDetails lists every payment, and every refund with a negative amount.
func writeDetails(w *writer, bookings []booking) {
	for _, b := range bookings {
		w.open("Row")
		w.leaf("TerminalId", b.Terminal)
		w.leaf("CashierId", cashier(b))
		w.leaf("SalesAmount", money(b.Amount))
		w.leaf("ErsReference", b.ErsReference)
		w.close("Row")
		w.WriteString("\n")
	}
}

func cashier(b booking) string { return cmp.Or(b.CashierID, "NULL") }

func writeWhole(w *writer, bookings []booking) { writeSummary(w, "", bookings) }

func writeByTerminal(w *writer, bookings []booking) {
	writeGroups(bookings, func(b booking) string { return b.Terminal }, func(id string, of []booking) { writeSummary(w, id, of) })
}

// writeByCashier has a row for each cashier, in the order of their ids, which it does not name.
func writeByCashier(w *writer, bookings []booking) {
	writeGroups(bookings, cashier, func(_ string, of []booking) { writeSummary(w, "", of) })
}

// writeGroups writes the bookings by their ids, in the order of these.
func writeGroups(bookings []booking, idOf func(booking) string, write func(id string, of []booking)) {
	groups := map[string][]booking{}
	for _, b := range bookings {
		groups[idOf(b)] = append(groups[idOf(b)], b)
	}
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		write(id, groups[id])
	}
}

// writeSummary counts sales and refunds apart. Currencies are added up as if they were one, as the report has none.
func writeSummary(w *writer, terminal string, bookings []booking) {
	var sales, refunds int
	var sold, refunded decimal.Decimal
	for _, b := range bookings {
		if b.Amount.IsNeg() {
			refunds, refunded = refunds+1, sum(refunded, b.Amount.Neg())
		} else {
			sales, sold = sales+1, sum(sold, b.Amount)
		}
	}
	w.open("Row")
	w.optional("TerminalId", terminal)
	w.leaf("SalesCount", strconv.Itoa(sales))
	w.leaf("SalesTotal", money(sold))
	w.leaf("RefundCount", strconv.Itoa(refunds))
	w.leaf("RefundTotal", money(refunded))
	w.close("Row")
	w.WriteString("\n")
}

// sum cannot overflow: a million bookings of the largest amount have 18 digits before the point.
func sum(a, b decimal.Decimal) decimal.Decimal {
	total, err := a.Add(b)
	if err != nil {
		return a
	}
	return total
}

// money has the reports' five decimals; no currency has more.
func money(d decimal.Decimal) string { return d.Pad(5).String() }
