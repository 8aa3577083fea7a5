package testdesk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// A contract is a router of an OpenAPI document.
type contract struct {
	routers.Router
}

// contracts caches contracts by document, since most desks serve the same one.
var contracts sync.Map

func init() {
	for _, kind := range []string{"application/x-ndjson", "image/png", "image/jpeg", "image/gif", "image/webp"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.FileBodyDecoder)
	}
}

// readContract returns the contract that a desk serves.
func (c *Client) readContract(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/openapi.json", nil)
	if err != nil {
		return err
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	document, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	read, _ := contracts.LoadOrStore(string(document), sync.OnceValues(func() (*contract, error) { return parseContract(document) }))
	c.contract, err = read.(func() (*contract, error))()
	return err
}

func parseContract(document []byte) (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("loading the OpenAPI document: %w", err)
	}
	doc.Servers = nil
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("the OpenAPI document is not valid: %w", err)
	}
	router, err := legacy.NewRouter(doc)
	return &contract{router}, err
}

// looked counts the answers of each operation and status. The first hundred are checked against the document, then every
// tenth, since the library compiles the schema again each time.
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

// keeps checks an answer against the OpenAPI document: its status, headers and body, and also the request if it succeeded.
// A path that the document does not have may only be answered with 404 or 405.
func (c *contract) keeps(request *http.Request, body []byte, a Answer) error {
	if a.Status == http.StatusMethodNotAllowed || strings.Contains(request.URL.EscapedPath(), "%2F") { // which the router takes for the end of a segment
		return nil
	}
	// The router has no host.
	bare := request.Clone(request.Context())
	bare.URL = &url.URL{Path: request.URL.Path, RawQuery: request.URL.RawQuery}
	bare.Body = io.NopCloser(bytes.NewReader(body))
	bare.GetBody = nil
	route, params, err := c.FindRoute(bare)
	if err != nil {
		if a.Status == http.StatusNotFound || strings.HasPrefix(request.URL.Path, "/docs") || request.URL.Path == "/metrics" || strings.HasPrefix(request.URL.Path, "/openapi") {
			return nil
		}
		return fmt.Errorf("the OpenAPI document has no %s %s, and it was answered: %s", request.Method, request.URL.Path, a)
	}
	sent := &openapi3filter.RequestValidationInput{
		Request: bare, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, SkipSettingDefaults: true, ExcludeRequestBody: request.URL.Path == "/v1/import"},
	}
	if a.Status < 300 {
		if err := openapi3filter.ValidateRequest(request.Context(), sent); err != nil {
			return fmt.Errorf("%s %s succeeded, although the OpenAPI document does not allow it: %w", request.Method, request.URL.Path, err)
		}
	}
	if !looked.next(fmt.Sprint(route.Method, route.Path, a.Status)) {
		return nil
	}
	received := &openapi3filter.ResponseValidationInput{RequestValidationInput: sent, Status: a.Status, Header: a.Header, Options: sent.Options}
	received.SetBodyBytes(a.Body)
	if err := openapi3filter.ValidateResponse(request.Context(), received); err != nil {
		return fmt.Errorf("%s %s was not answered as the OpenAPI document says: %w\n%s", request.Method, request.URL.Path, err, a)
	}
	return nil
}
