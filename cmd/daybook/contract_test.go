package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// contract is the OpenAPI document that the program serves, as a router of what it describes.
var contract = sync.OnceValues(func() (routers.Router, error) {
	document, err := servedDocument()
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("loading the OpenAPI document: %w", err)
	}
	doc.Servers = nil
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("the OpenAPI document is not valid: %w", err)
	}
	return legacy.NewRouter(doc)
})

// looked counts the answers of each operation and status. The first hundred are held against the document, then every
// tenth: the library compiles the schema anew for each.
var looked counter

type counter struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counter) next(kind string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[string]int)
	}
	c.n[kind]++
	return c.n[kind] <= 100 || c.n[kind]%10 == 0
}

// servedDocument serves an empty desk for as long as it takes to read the document.
func servedDocument() ([]byte, error) {
	folder, err := os.MkdirTemp("", "daybook-contract-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"serve", "--data", folder, "--listen", "127.0.0.1:0"}, in, io.Discard)
		in.Close()
		ended <- err
	}()
	defer func() { cancel(); <-ended }()
	var base string
	if _, err := fmt.Fscanf(out, "Daybook serves %s\n", &base); err != nil {
		return nil, err
	}
	go io.Copy(io.Discard, out)
	response, err := http.Get(base + "/openapi.json")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// keepsContract holds an answer against the OpenAPI document: the status, the headers and the body; and the request too, if
// it was taken. A path that the document does not have may only be answered with 404 or 405.
func keepsContract(request *http.Request, body []byte, a answer) error {
	router, err := contract()
	if err != nil || a.status == http.StatusMethodNotAllowed {
		return err
	}
	// The router knows no host.
	bare := request.Clone(request.Context())
	bare.URL = &url.URL{Path: request.URL.Path, RawQuery: request.URL.RawQuery}
	bare.Body = io.NopCloser(bytes.NewReader(body))
	bare.GetBody = nil
	route, params, err := router.FindRoute(bare)
	if err != nil {
		if a.status == http.StatusNotFound || strings.HasPrefix(request.URL.Path, "/docs") || request.URL.Path == "/metrics" || strings.HasPrefix(request.URL.Path, "/openapi") {
			return nil
		}
		return fmt.Errorf("the OpenAPI document has no %s %s, and it was answered: %s", request.Method, request.URL.Path, a)
	}
	sent := &openapi3filter.RequestValidationInput{
		Request: bare, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, SkipSettingDefaults: true, ExcludeRequestBody: request.URL.Path == "/v1/import"},
	}
	if a.status < 300 {
		if err := openapi3filter.ValidateRequest(request.Context(), sent); err != nil {
			return fmt.Errorf("%s %s was taken, and the OpenAPI document does not allow it: %w", request.Method, request.URL.Path, err)
		}
	}
	if !looked.next(fmt.Sprint(route.Method, route.Path, a.status)) {
		return nil
	}
	received := &openapi3filter.ResponseValidationInput{RequestValidationInput: sent, Status: a.status, Header: a.header, Options: sent.Options}
	received.SetBodyBytes(a.body)
	if err := openapi3filter.ValidateResponse(request.Context(), received); err != nil {
		return fmt.Errorf("%s %s was answered otherwise than the OpenAPI document says: %w\n%s", request.Method, request.URL.Path, err, a)
	}
	return nil
}
