// Package openapi proves that schemas/openapi.json is true: a client that a public generator made from it, and nothing else, sells an
// order against the real API, broker, sandbox and workers; and every example of the document is sent to the API or compared with what
// it answers. .ci/steps/25-generated generates the client again and compares it.
package openapi
