// Package clients holds the contract of the API as it was promised, and clients that are generated from it.
//
// openapi.json is the contract. It changes with the API, and never so that a client that was generated from it breaks:
//
//	go test ./clients -write
//
// writes it, unless oasdiff finds such a change. The folders go and typescript hold the README's tour with a generated client.
package clients
