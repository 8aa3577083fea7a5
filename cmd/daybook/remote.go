package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"daybook/api"
	"daybook/domain/desk"
	"daybook/journal"
)

// remote says how a command talks to a desk that is being served.
type remote struct {
	URL     string `help:"URL of a desk that is being served. The command is sent to it instead of opening the data folder." placeholder:"http://127.0.0.1:8080"`
	KeyFile string `help:"File with the API key for --url. Default owner.key in the data folder." type:"path" placeholder:"FILE"`
}

// call sends a request to the desk that is being served and decodes its answer. answer is nil if there is no body, and a
// func(*json.Decoder) error if there is one of many lines.
func (r remote) call(ctx context.Context, f folder, method, path string, body io.Reader, answer any) error {
	base, err := url.Parse(r.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return status{wrongUsage, fmt.Errorf("--url must be a URL such as http://127.0.0.1:8080, not %q", r.URL)}
	}
	keyFile := r.KeyFile
	if keyFile == "" {
		keyFile = f.path("owner.key")
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return fmt.Errorf("reading the API key: %w; give its file with --key-file", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(r.URL, "/")+path, body)
	if err != nil {
		return status{wrongUsage, err}
	}
	if _, line := answer.(func(*json.Decoder) error); line {
		request.Header.Set("Accept", ndjson)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(key)))
	response, err := http.DefaultClient.Do(request)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("cannot reach a desk at %s; start it with daybook serve, or leave out --url: %w", r.URL, err)
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("the desk at %s does not accept the API key in %s; give the file of one of its keys with --key-file", r.URL, keyFile)
	}
	if response.StatusCode >= 300 {
		return r.refusal(response)
	}
	if lines, line := answer.(func(*json.Decoder) error); line {
		if response.Header.Get("Content-Type") != ndjson {
			return r.stranger(response)
		}
		return lines(json.NewDecoder(response.Body))
	}
	if answer == nil && response.StatusCode == http.StatusOK || answer != nil && json.NewDecoder(response.Body).Decode(answer) != nil {
		return r.stranger(response)
	}
	return nil
}

const ndjson = "application/x-ndjson"

// refusal returns the error of a problem that the desk answered with.
func (r remote) refusal(response *http.Response) error {
	var p api.Problem
	if err := json.NewDecoder(response.Body).Decode(&p); err != nil || p.Code == "" || p.Code == "no-such-path" {
		return r.stranger(response)
	}
	code := failed
	switch response.StatusCode {
	case http.StatusNotFound:
		code = notFound
	case http.StatusConflict:
		code = conflict
	}
	return status{code, fmt.Errorf("%s (%s)", p.Detail, p.Code)}
}

// stranger returns an error that says that the server is not a Daybook.
func (r remote) stranger(response *http.Response) error {
	return fmt.Errorf("the server at %s is not a Daybook with %s: it answered %s; check --url", r.URL, response.Request.URL.Path, response.Status)
}

// partSize is about how many bytes of a journal go into one request.
const partSize = 4 << 20

// send sends the journals to the desk that is being served, in parts.
func (c *importCommand) send(ctx context.Context, t terminal) error {
	query := url.Values{"source": {c.Source}, "retry_rejected": {fmt.Sprint(c.RetryRejected)}, "strict": {fmt.Sprint(c.Strict)}}
	var total desk.Counts
	for _, path := range c.Files {
		if err := c.sendFile(ctx, t, path, "/v1/import?"+query.Encode(), &total); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := c.say(t, total); err != nil {
		return err
	}
	return c.refusedSome(total)
}

func (c *importCommand) sendFile(ctx context.Context, t terminal, path, query string, total *desk.Counts) (err error) {
	lines, err := countLines(path)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	refused := refusedOf(path)
	defer func() {
		if closeErr := refused.close(err == nil); err == nil {
			err = closeErr
		}
	}()
	bar := progress(t.talk, lines, path)
	defer bar.Finish()
	return journal.Parts(file, partSize, func(first int, part []byte) error {
		text := strings.Split(string(part), "\n")
		var counts *desk.Counts
		err := c.call(ctx, c.folder, http.MethodPost, query, bytes.NewReader(part), func(lines *json.Decoder) error {
			for counts == nil {
				var line struct {
					api.ImportOutcome
					*desk.Counts
					Detail string // of a problem
				}
				if err := lines.Decode(&line); err != nil {
					return fmt.Errorf("the answer ended early: %w; import the file again: no line is imported twice", err)
				}
				switch o := line.ImportOutcome; {
				case line.Detail != "":
					return fmt.Errorf("%s (%s)", line.Detail, o.Code)
				case o.Outcome == "":
					counts = line.Counts
				default:
					refused.write([]journal.Outcome{{
						Line: first + o.Line - 1, ID: o.ID, Result: desk.Result(o.Outcome), Code: o.Code, Reason: o.Reason, Text: text[o.Line-1],
					}})
					bar.Add(1)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		*total = total.Plus(*counts)
		if c.Strict && counts.Rejected+counts.Malformed > 0 {
			return journal.ErrStopped
		}
		return nil
	})
}
