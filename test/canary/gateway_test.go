package canary

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/test/procs"
)

// connectionsFile joins a WooCommerce shop, whose API does not answer, and gives the HTTP API a token.
func connectionsFile(t *testing.T) string {
	t.Helper()
	secret := func(name, text string) string { return procs.WriteFile(t, name, text+"\n") }
	return procs.WriteFile(t, "connections.yaml", fmt.Sprintf(`connections:
  acme:
    api_token_file: %q
    woocommerce: {url: "http://127.0.0.1:1", payment_methods: [seqr], webhook_secret_file: %q, consumer_key_file: %q, consumer_secret_file: %q}
checkout: {base_url: "http://127.0.0.1:8787", key_file: %q}
`, secret("token", apiToken), secret("webhook", webhookSecret), secret("key", consumerKey), secret("secret", consumerSecret), secret("checkout", checkoutKey)))
}

// useGateway makes requests with good and with bad secrets, and searches the answers.
func (s *fixture) useGateway(url string) {
	s.Helper()
	order := `{"orderId":"api","currency":"SEK","total":"10.00","rows":[{"description":"Tea","quantity":1,"total":"10.00"}],"password":"` + payloadSecret + `"}`
	customer := `{"id":5,"status":"pending","payment_method":"seqr","billing":{"email":"` + personalData + `@example.com"}}`
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	mac.Write([]byte(customer))
	hook := func(signature string) map[string]string {
		return map[string]string{"X-WC-Webhook-Topic": "order.updated", "X-WC-Webhook-Signature": signature, "Content-Type": "application/json"}
	}
	bearer := func(token string) map[string]string { return map[string]string{"Authorization": "Bearer " + token} }
	for _, c := range []struct {
		method, path, body string
		header             map[string]string
		status             int
	}{
		{"POST", "/v1/shops/acme/orders?wait=25s", order, bearer(apiToken), http.StatusCreated},
		{"POST", "/v1/shops/acme/orders", order, bearer(presented), http.StatusUnauthorized},
		{"GET", "/v1/shops/acme/orders/none?token=" + presented, "", bearer(apiToken), http.StatusUnprocessableEntity},
		{"GET", "/v1/shops/acme/orders/none", "", bearer(apiToken), http.StatusNotFound},
		{"POST", "/hooks/acme/woocommerce", customer, hook(presented), http.StatusUnauthorized},
		{"POST", "/hooks/acme/woocommerce", customer, hook(base64.StdEncoding.EncodeToString(mac.Sum(nil))), http.StatusOK}, // parked
		{"GET", "/pay/acme/api?key=" + presented, "", nil, http.StatusNotFound},
	} {
		req, err := http.NewRequestWithContext(s.Context(), c.method, url+c.path, strings.NewReader(c.body))
		if err != nil {
			s.Fatal(err)
		}
		for name, value := range c.header {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			s.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status {
			s.Errorf("%s %s: %s %s, %v; want %d", c.method, c.path, resp.Status, text, err, c.status)
		}
		s.search.in("the answer of "+c.path[:min(len(c.path), 25)], fmt.Sprint(resp.Header)+string(text), presented)
	}
	s.page("the API's document", url+"/v1/openapi.json")
}
