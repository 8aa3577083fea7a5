package main

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"daybook/eventstore/sqlite"
	"daybook/internal/scratch"
	"daybook/vault"
)

// backupCommand writes what is in the data folder and cannot be made anew to one file.
type backupCommand struct {
	folder
	File string `arg:"" help:"File to write, which must not exist." type:"path"`
}

// A manifest is the first file of a backup. It says what the others must be.
type manifest struct {
	Format  int         `json:"format"` // of the backup: 1
	Program string      `json:"program"`
	MadeAt  time.Time   `json:"made_at"`
	Log     *sqlite.End `json:"log,omitempty"` // where the log ends; nil: it is elsewhere
	Files   []backedUp  `json:"files"`
}

// backedUp is a file of a backup.
type backedUp struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

const (
	manifestName   = "manifest.json"
	manifestFormat = 1
)

// The files of a backup.
const (
	logFile      = "events.db"
	vaultFile    = "vault.db"
	settingsFile = "daybook.yaml"
)

// Run also works while the desk is served. The log is copied before the vault, which then has every key that the log needs.
func (c *backupCommand) Run(ctx context.Context, t terminal, p *program) (err error) {
	if err := c.mustBe(ctx); err != nil {
		return err
	}
	if _, err := os.Lstat(c.File); !errors.Is(err, fs.ErrNotExist) {
		return status{conflict, errors.Join(fmt.Errorf("%s exists already: give the name of a new file", c.File), err)}
	}
	into := filepath.Dir(c.File)
	if err := scratch.Sweep(into); err != nil {
		return err
	}
	work, remove, err := scratch.New(into)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	path := filepath.Join(work, "backup")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(c.write(ctx, t, out, work, string(p.Config)), out.Close()); err != nil {
		return err
	}
	return errors.Join(os.Rename(path, c.File), syncFolder(into)) // only a whole backup has the name
}

// write copies the files to the work folder, and writes them to out with a manifest.
func (c *backupCommand) write(ctx context.Context, t terminal, out *os.File, work, settings string) error {
	m := manifest{Format: manifestFormat, Program: version(), MadeAt: time.Now().UTC()}
	if c.inFolder() {
		end, err := sqlite.Backup(ctx, c.path(logFile), filepath.Join(work, logFile))
		if err != nil {
			return err
		}
		m.Log = &end
		m.Files = append(m.Files, backedUp{Name: logFile})
	}
	at, err := c.vaultAt()
	if err != nil {
		return err
	}
	if !vault.InPostgreSQL(at) {
		if err := vault.Backup(ctx, at, filepath.Join(work, vaultFile)); err != nil {
			return err
		}
		m.Files = append(m.Files, backedUp{Name: vaultFile})
	}
	if len(m.Files) == 0 {
		return status{wrongUsage, errors.New("nothing of this desk is in the data folder: back up the log and then the vault with the tools of their databases")}
	}
	if settings != "" {
		if err := copyTo(filepath.Join(work, settingsFile), settings); err != nil {
			return err
		}
		m.Files = append(m.Files, backedUp{Name: settingsFile})
	}
	for i := range m.Files {
		f := &m.Files[i]
		if f.Size, f.SHA256, err = digest(filepath.Join(work, f.Name)); err != nil {
			return err
		}
	}
	if err := m.pack(out, work); err != nil {
		return err
	}
	if !c.inFolder() {
		fmt.Fprintln(t.talk, "daybook: the log is not in the data folder, and so not in this backup; it must have been backed up before")
	}
	if vault.InPostgreSQL(at) {
		fmt.Fprintln(t.talk, "daybook: the vault is not in the data folder, and so not in this backup; back it up now, after the log")
	}
	if m.Log != nil {
		_, err = fmt.Fprintf(t.out, "%s has the desk up to position %s, without the master key.\n", c.File, m.Log.Position)
	}
	return err
}

// pack writes the manifest and the files, durably.
func (m manifest) pack(out *os.File, work string) error {
	archive := tar.NewWriter(out)
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	header := func(name string, size int64) error {
		return archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: m.MadeAt})
	}
	if err := header(manifestName, int64(len(text))); err != nil {
		return err
	}
	if _, err := archive.Write(text); err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := header(f.Name, f.Size); err != nil {
			return err
		}
		if err := copyFrom(archive, filepath.Join(work, f.Name)); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), out.Sync())
}

// restoreCommand makes a data folder of a backup.
type restoreCommand struct {
	Data string `help:"Data folder to make. It must not exist, or be empty." default:"./data" env:"DAYBOOK_DATA" type:"path"`
	File string `arg:"" help:"File that backup wrote." type:"existingfile"`
}

// Run checks everything before the data folder has anything. The vault comes first and the log last: what has the one and not the other
// is not served.
func (c *restoreCommand) Run(ctx context.Context, t terminal) (err error) {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	if err := scratch.Sweep(c.Data); err != nil {
		return err
	}
	there, err := os.ReadDir(c.Data)
	if there = slices.DeleteFunc(there, func(e fs.DirEntry) bool { return e.Name() == "lost+found" }); err != nil || len(there) > 0 {
		return errors.Join(err, status{conflict, fmt.Errorf("%s is not empty: move what is in it away, or give another folder with --data", c.Data)})
	}
	work, remove, err := scratch.New(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	made := filepath.Join(work, "data")
	if err := os.Mkdir(made, 0o700); err != nil {
		return err
	}
	m, err := unpack(c.File, made)
	if err == nil && m.Log != nil {
		err = m.proveLog(ctx, made)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be restored: %w", c.File, err)
	}
	files := m.Files
	if m.Log != nil { // which comes first
		files = append(files[1:], files[0])
	}
	for _, f := range files {
		if err := errors.Join(os.Rename(filepath.Join(made, f.Name), filepath.Join(c.Data, f.Name)), syncFolder(c.Data)); err != nil {
			return err
		}
	}
	if m.Log != nil {
		fmt.Fprintf(t.out, "%s has the desk up to position %s. ", c.Data, m.Log.Position)
	}
	fmt.Fprintf(t.out, "Put the master key into %s, then start daybook serve, which makes the read models anew.\n", filepath.Join(c.Data, "vault.key"))
	return nil
}

// unpack extracts a backup into a folder, and checks each file.
func unpack(path, into string) (m manifest, err error) {
	file, err := os.Open(path)
	if err != nil {
		return m, err
	}
	defer file.Close()
	archive := tar.NewReader(file)
	first, err := archive.Next()
	if err != nil || first.Name != manifestName {
		return m, errors.Join(errors.New("it is not a backup of a desk"), err)
	}
	if err := json.NewDecoder(io.LimitReader(archive, 1<<20)).Decode(&m); err != nil {
		return m, fmt.Errorf("its manifest is damaged: %w", err)
	}
	if m.Format != manifestFormat {
		return m, fmt.Errorf("it has format %d, but this program knows format %d: another version wrote it", m.Format, manifestFormat)
	}
	hasLog := slices.ContainsFunc(m.Files, func(f backedUp) bool { return f.Name == logFile })
	if len(m.Files) == 0 || hasLog != (m.Log != nil) || hasLog && m.Files[0].Name != logFile {
		return m, errors.New("its manifest does not fit its files")
	}
	for _, f := range m.Files {
		if !slices.Contains([]string{logFile, vaultFile, settingsFile}, f.Name) {
			return m, fmt.Errorf("it has a file %q, which a backup does not have", f.Name)
		}
		header, err := archive.Next()
		if err != nil || header.Typeflag != tar.TypeReg || header.Name != f.Name || header.Size != f.Size {
			return m, errors.Join(fmt.Errorf("it ends before %s, or has another file there", f.Name), err)
		}
		to := filepath.Join(into, f.Name)
		if err := writeTo(to, archive); err != nil {
			return m, fmt.Errorf("%s is damaged: %w", f.Name, err)
		}
		if size, sum, err := digest(to); err != nil || size != f.Size || sum != f.SHA256 {
			return m, errors.Join(fmt.Errorf("%s is not as the manifest says: the backup is damaged", f.Name), err)
		}
	}
	if _, err := archive.Next(); !errors.Is(err, io.EOF) {
		return m, errors.Join(errors.New("it goes on after its last file, or does not end"), err)
	}
	return m, nil
}

// proveLog reads the whole log, and compares where it ends.
func (m manifest) proveLog(ctx context.Context, in string) error {
	end, err := sqlite.Prove(ctx, filepath.Join(in, logFile))
	if err == nil && end != *m.Log {
		err = fmt.Errorf("its log ends at position %s, and the manifest says %s", end.Position, m.Log.Position)
	}
	for _, left := range []string{"-wal", "-shm"} { // reading made them
		if err := os.Remove(filepath.Join(in, logFile+left)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}

// digest returns the size of a file and its SHA-256, in hexadecimal.
func digest(path string) (int64, string, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, file)
	return n, hex.EncodeToString(sum.Sum(nil)), err
}

func copyFrom(to io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(to, file)
	return err
}

func copyTo(path, from string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	return writeTo(path, file)
}

// writeTo writes a file, durably.
func writeTo(path string, from io.Reader) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Sync(), file.Close())
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
