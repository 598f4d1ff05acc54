package shopify

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/pkg/commerce"
)

// reply is what the Admin API answers, with status 200 also where it has refused.
type reply struct {
	Data       json.RawMessage `json:"data"`
	Errors     []callError     `json:"errors"`
	Extensions struct {
		Cost cost `json:"cost"`
	} `json:"extensions"`
}

type callError struct {
	Message    string `json:"message"`
	Extensions struct {
		Code string `json:"code"`
	} `json:"extensions"`
}

// cost is in points. A shop has a bucket of them, which is filled again at a constant rate.
type cost struct {
	Requested float64 `json:"requestedQueryCost"`
	Throttle  struct {
		Available float64 `json:"currentlyAvailable"`
		PerSecond float64 `json:"restoreRate"`
	} `json:"throttleStatus"`
}

// wait is how long it takes until the bucket has the points: 1 s to 1 minute.
func (c cost) wait() time.Duration {
	seconds := 1.0
	if missing := c.Requested - c.Throttle.Available; missing > 0 && c.Throttle.PerSecond > 0 {
		seconds = math.Ceil(missing / c.Throttle.PerSecond)
	}
	return time.Duration(min(max(seconds, 1), 60)) * time.Second
}

// userError says why a mutation was refused.
type userError struct {
	Message string `json:"message"`
}

func said(errors []userError) string {
	var messages []string
	for _, e := range errors {
		messages = append(messages, e.Message)
	}
	return commerce.Clip(strings.Join(messages, "; "), 200)
}

// call makes one call of the Admin API and reads its data. Only where the result's status is Delivered is there any. doing names
// the call for people, such as "mark as paid".
func (o *Outbound) call(ctx context.Context, doing, query string, variables map[string]any, data any) (commerce.Answer, commerce.Result) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return commerce.Answer{}, commerce.Result{Status: commerce.Refused, Detail: doing + ": " + err.Error()}
	}
	token, result := o.tokens.get(ctx)
	if result.Status != commerce.Delivered {
		return commerce.Answer{Code: result.Code}, result
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, bytes.NewReader(body))
	if err != nil {
		return commerce.Answer{}, commerce.Result{Status: commerce.Refused, Detail: doing + ": not a URL"}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "seqrflow")
	r.Header.Set("X-Shopify-Access-Token", token)
	answer, err := commerce.Ask(o.http, r, 0)
	if result = commerce.ResultOf(doing, answer, err); result.Status != commerce.Delivered {
		if answer.Code == http.StatusUnauthorized && o.tokens.refused(token) {
			result.Status = commerce.Again
		}
		return answer, result
	}
	return answer, read(doing, answer, data)
}

// read reads the data of an answer with 200. What is no answer of the API (a proxy's page) is asked for again.
func read(doing string, answer commerce.Answer, data any) commerce.Result {
	var r reply
	if err := answer.JSON(&r); err != nil {
		return commerce.Result{Status: commerce.Again, Code: answer.Code, Detail: doing + ": " + err.Error()}
	}
	if len(r.Errors) > 0 {
		return r.failure(doing, answer.Code)
	}
	if err := json.Unmarshal(r.Data, data); err != nil || len(r.Data) == 0 || string(r.Data) == "null" {
		return commerce.Result{Status: commerce.Again, Code: answer.Code, Detail: doing + ": expected the data of the call"}
	}
	return commerce.Result{Status: commerce.Delivered, Code: answer.Code, Detail: doing}
}

// failure says what the first error means: what passes by itself, and what a person has to mend.
func (r reply) failure(doing string, status int) commerce.Result {
	first := r.Errors[0]
	result := commerce.Result{Status: commerce.Refused, Code: status, Detail: doing + ": " + commerce.Clip(first.Message, 200)}
	switch first.Extensions.Code {
	case "THROTTLED":
		result.Status, result.After = commerce.Again, r.Extensions.Cost.wait()
	case "INTERNAL_SERVER_ERROR", "TIMEOUT", "SHOP_INACTIVE":
		result.Status = commerce.Again
	case "ACCESS_DENIED":
		result.Detail += "; expected an access token with the scopes read_orders and write_orders"
	}
	return result
}
