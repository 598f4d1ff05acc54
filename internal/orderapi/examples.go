package orderapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// The examples of the document. test/openapi sends the requests to the running API, and compares its answers.

const (
	exampleOrder = `{"orderId":"1001","currency":"SEK","total":"149.50","validFor":"15m",
		"rows":[{"description":"Coffee, 500 g","quantity":"1","total":"149.50","taxRate":"12"}]}`
	exampleCancel = `{"reason":"sold out"}`
	exampleReturn = `{"refundId":"r1","amount":"49.50","reason":"one of three was broken"}`

	exampleIssued = `{"shop":"acme","orderId":"1001","state":"ISSUED","open":true,"paid":false,"currency":"SEK","total":"149.50","invoiceId":"1001",
		"invoiceReference":"1357902468013","qrCode":"HTTP://SEQR.SE/R1357902468013","link":"SEQR://SEQR.SE/R1357902468013",
		"checkoutUrl":"https://pay.example.com/pay/acme/1001?key=Zm9v","issuedAt":"2026-11-26T10:00:00Z","dueAt":"2026-11-26T10:15:00Z"}`
	examplePaid = `{"shop":"acme","orderId":"1001","state":"PAID","open":false,"paid":true,"currency":"SEK","total":"149.50","invoiceId":"1001",
		"invoiceReference":"1357902468013","checkoutUrl":"https://pay.example.com/pay/acme/1001?key=Zm9v",
		"issuedAt":"2026-11-26T10:00:00Z","dueAt":"2026-11-26T10:15:00Z","ersReference":"2012050100000000000000001","paidAt":"2026-11-26T10:01:07Z"}`
	exampleReturned = `{"shop":"acme","orderId":"1001","state":"PAID","open":false,"paid":true,"currency":"SEK","total":"149.50","invoiceId":"1001",
		"invoiceReference":"1357902468013","checkoutUrl":"https://pay.example.com/pay/acme/1001?key=Zm9v",
		"issuedAt":"2026-11-26T10:00:00Z","dueAt":"2026-11-26T10:15:00Z","ersReference":"2012050100000000000000001","paidAt":"2026-11-26T10:01:07Z",
		"refunded":"49.50","refunds":[{"refundId":"r1","amount":"49.50","status":"done","detail":"the provider paid back"}]}`
	exampleCanceled = `{"shop":"acme","orderId":"1001","state":"CANCELED","open":false,"paid":false,"currency":"SEK","total":"149.50","invoiceId":"1001",
		"invoiceReference":"1357902468013","checkoutUrl":"https://pay.example.com/pay/acme/1001?key=Zm9v",
		"issuedAt":"2026-11-26T10:00:00Z","dueAt":"2026-11-26T10:15:00Z","endedAt":"2026-11-26T10:02:00Z","reason":"the shop canceled the order: sold out"}`

	exampleStream = `[{"id":40,"event":"alive","data":{"at":"2026-11-26T10:00:00Z"}},
		{"id":41,"event":"invoice","data":{"event":"issued","at":"2026-11-26T10:00:00Z","why":"the order was placed","order":` + exampleIssued + `}}]`
)

// exampleAnswers are those of requests that are carried out, by operation and status.
var exampleAnswers = map[string]map[int]string{
	"placeOrder":   {201: exampleIssued, 200: exampleIssued},
	"getOrder":     {200: examplePaid},
	"returnOrder":  {202: exampleReturned, 200: exampleReturned},
	"cancelOrder":  {202: exampleCanceled, 200: exampleCanceled},
	"streamEvents": {200: exampleStream},
}

// exampleProblems are those that every operation answers alike.
var exampleProblems = map[int]huma.ErrorModel{
	400: problemOf(400, "expected a JSON object"),
	401: problemOf(401, "expected the header Authorization: Bearer with a token of this shop"),
	404: problemOf(404, `the shop has placed no order "1002"`),
	408: problemOf(408, "the request's body did not come within 5 s"),
	413: problemOf(413, "expected a body of at most "+strconv.Itoa(maxBody)+" bytes"),
	429: problemOf(429, "the shop has made 6000 requests within a minute"),
	503: problemOf(503, notAvailable),
}

// exampleProblemsOf are those that one operation answers in its own way.
var exampleProblemsOf = map[string]map[int]huma.ErrorModel{
	"placeOrder": {
		409: problemOf(409, `the invoice "1001" was placed before with other contents (149.50 SEK, now 99.00 SEK); name another invoiceId to ask for another payment`),
		422: problemOf(422, notAsExpected, &huma.ErrorDetail{Location: "body.total", Message: "the rows sum to 149.50, not to 150.00"}),
	},
	"getOrder":    {422: problemOf(422, "the query is not as expected", &huma.ErrorDetail{Location: "query.wait", Message: `expected a duration of 0s to 25s, such as 5s, got "1h"`})},
	"cancelOrder": {422: problemOf(422, notAsExpected, &huma.ErrorDetail{Location: "body.keepPaid", Message: "expected true or false, got a string"})},
	"returnOrder": {
		409: problemOf(409, `the refundId "r1" was used before with other contents`),
		422: problemOf(422, notAsExpected, &huma.ErrorDetail{Location: "body.refundId", Message: "missing"}),
	},
	"streamEvents": {
		422: problemOf(422, "the header is not as expected", &huma.ErrorDetail{Location: "header.Last-Event-ID", Message: "expected the id of an event of this stream, 0 to 41", Value: "99"}),
	},
}

func addExamples(doc *huma.OpenAPI) {
	for path, text := range map[string]string{ordersPath: exampleOrder, cancelPath: exampleCancel, returnPath: exampleReturn} {
		doc.Paths[path].Post.RequestBody.Content["application/json"].Example = json.RawMessage(text)
	}
	for id, op := range operations(doc) {
		delete(op.Responses, "500") // which the framework names, and nothing answers
		for status, text := range exampleAnswers[id] {
			for _, content := range op.Responses[strconv.Itoa(status)].Content {
				content.Example = json.RawMessage(text)
			}
		}
		problems := maps.Clone(exampleProblems)
		maps.Copy(problems, exampleProblemsOf[id])
		for status, p := range problems {
			if r := op.Responses[strconv.Itoa(status)]; r != nil {
				r.Description = meanings[status]
				r.Content["application/problem+json"].Example = p
			}
		}
	}
}

// meanings of the errors, for the document.
var meanings = map[int]string{
	http.StatusBadRequest:            "The body is no JSON object",
	http.StatusUnauthorized:          "No token of this shop",
	http.StatusNotFound:              "The shop has placed no such order",
	http.StatusRequestTimeout:        "The body came too slowly",
	http.StatusConflict:              "The same id was used before for something else; nothing was done",
	http.StatusRequestEntityTooLarge: "The body is too large",
	http.StatusUnprocessableEntity:   "What was sent is not as expected; each field is named",
	http.StatusTooManyRequests:       "Too many requests; Retry-After says when to come again",
	http.StatusServiceUnavailable:    "The broker did not answer. Whether the request was carried out is not known; send the same again",
}
