package shopsim

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// OpToken is the operation by which an app gets an access token, for [Fault.On].
const OpToken = "access_token"

// EndTokens makes the tokens that the app was given until now invalid.
func (s *Shopify) EndTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = s.given
}

// takes says whether an access token is the one that stays, or one that the app was given and that has not ended.
func (s *Shopify) takes(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int
	if _, err := fmt.Sscanf(token, "shpat_given_%d", &n); err == nil {
		return n > s.ended && n <= s.given
	}
	return token == s.cfg.AccessToken
}

// giveToken answers an app that shows its id and secret.
func (s *Shopify) giveToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	answer := map[string]any{"error": "invalid_client", "error_description": "Client authentication failed"}
	if r.PostFormValue("grant_type") == "client_credentials" && r.PostFormValue("client_id") == s.cfg.ClientID && r.PostFormValue("client_secret") == s.cfg.Secret {
		s.mu.Lock()
		s.given++
		answer = map[string]any{"access_token": fmt.Sprintf("shpat_given_%d", s.given), "scope": "read_orders,write_orders", "expires_in": 86399}
		s.mu.Unlock()
	} else {
		w.WriteHeader(http.StatusBadRequest)
	}
	_ = json.NewEncoder(w).Encode(answer)
}
