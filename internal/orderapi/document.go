package orderapi

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// head is what the OpenAPI document begins with. The document is served at /v1/openapi.json and, in the form of OpenAPI 3.0, at
// /v1/openapi-3.0.json; there is no page that loads anything from a third party.
func head() huma.Config {
	cfg := huma.DefaultConfig("seqrflow", version)
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "/v1/openapi", "", ""
	cfg.CreateHooks = nil
	cfg.RejectUnknownQueryParameters = true
	cfg.Info.Description = "Orders in, payments out, for one shop. Amounts are decimal strings in the currency's main unit. " +
		"The same request again has no second effect. Errors are problems as in RFC 9457."
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "The shop's token: api_token_file of connections.yaml"},
	}
	cfg.Security = []map[string][]string{{"token": {}}}
	return cfg
}

// Document gives the OpenAPI document; nobody changes it.
func (a *API) Document() *huma.OpenAPI { return a.document }

// describe completes the document with what the types of the operations do not say: the bodies, which are read as the workers read
// an order event, the answer 200 to what was asked for before, and the examples.
func describe(doc *huma.OpenAPI) {
	describeBody[OrderBody](doc, ordersPath, true)
	describeBody[CancelBody](doc, cancelPath, false)
	describeBody[ReturnBody](doc, returnPath, true)
	for _, path := range []string{ordersPath, cancelPath, returnPath} {
		first := doc.Paths[path].Post.Responses
		for code, text := range map[string]string{"200": "It was asked for before; nothing was done", "201": "Placed", "202": "Accepted"} {
			if code == "200" {
				first[code] = &huma.Response{Content: map[string]*huma.MediaType{"application/json": {Schema: orderStateSchema(doc)}}}
			}
			if first[code] != nil {
				first[code].Description = text
			}
		}
	}
	doc.Paths[eventsPath].Get.Responses["200"].Description = "The stream"
	addExamples(doc)
}

func orderStateSchema(doc *huma.OpenAPI) *huma.Schema {
	return doc.Components.Schemas.Schema(reflect.TypeFor[OrderState](), true, "")
}

func describeBody[Body any](doc *huma.OpenAPI, path string, required bool) {
	body := doc.Paths[path].Post.RequestBody
	body.Required = required
	body.Content["application/json"].Schema = doc.Components.Schemas.Schema(reflect.TypeFor[Body](), true, "")
}

// operations gives each operation of the document.
func operations(doc *huma.OpenAPI) map[string]*huma.Operation {
	all := map[string]*huma.Operation{}
	for _, item := range doc.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post} {
			if o != nil {
				all[o.OperationID] = o
			}
		}
	}
	return all
}

// problemOf gives a problem as the API answers it.
func problemOf(status int, detail string, errors ...*huma.ErrorDetail) huma.ErrorModel {
	return huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail, Errors: errors}
}
