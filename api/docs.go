package api

import (
	"compress/gzip"
	"embed"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
)

// docsFiles is the page that shows the OpenAPI document, complete, so that a browser loads nothing from other hosts.
// docs/VENDOR.txt says where the files come from.
//
//go:embed docs
var docsFiles embed.FS

func docs(w http.ResponseWriter, r *http.Request) { serveDocs(w, r, "index.html") }

func docsFile(w http.ResponseWriter, r *http.Request) { serveDocs(w, r, r.PathValue("file")) }

func serveDocs(w http.ResponseWriter, r *http.Request, name string) {
	data, err := docsFiles.ReadFile("docs/" + name)
	packed := err != nil
	if packed {
		data, err = docsFiles.ReadFile("docs/" + name + ".gz")
	}
	if err != nil || strings.HasSuffix(name, ".gz") {
		write(w, problem(http.StatusNotFound, "no-such-path", "There is nothing at this path. The documentation is at /docs."))
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	shut(w)
	w.Header().Set("Vary", "Accept-Encoding")
	if !packed {
		w.Write(data)
		return
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(data)
		return
	}
	plain, err := gzip.NewReader(strings.NewReader(string(data)))
	if err == nil {
		_, _ = io.Copy(w, plain) // the caller may have gone away
	}
}

// shut lets a page load nothing from other hosts, and nobody put it into theirs.
func shut(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
}
