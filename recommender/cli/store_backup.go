// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/sqlite"
)

func newStoreBackup(env *Env) *cobra.Command {
	var s storeCommand
	var out output
	var leaveOut bool
	cmd := &cobra.Command{
		Use:   "backup FOLDER",
		Short: "Copy the store to a new folder, while the recommender runs",
		Long: `Backup copies every file of the store as of one moment to a folder that must not
be there yet, checks the copies, and only then gives the folder its name: what is
there is whole. It stops nobody; batches go on being kept meanwhile.

The tokens and the CA beside the store (--data-dir) are not part of it.`,
		Example: "  netcinch store backup --data-dir /var/lib/netcinch /backup/netcinch-2026-03-05",
		Args:    oneFolder,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.known(); err != nil {
				return err
			}
			opened, err := s.open()
			if err != nil {
				return err
			}
			m, err := opened.Backup(cmd.Context(), args[0], env.Now(), leaveOut)
			if errors.Is(err, store.ErrDamaged) && !leaveOut {
				err = fmt.Errorf("%w; restore the file first, or leave damaged days out with --without-damaged", err)
			}
			if err != nil {
				return err
			}
			return out.print(env.Stdout, m, func(w io.Writer) error {
				for _, name := range m.LeftOut {
					fmt.Fprintf(env.Stderr, "netcinch: warning: %s is damaged, and not in the backup\n", name)
				}
				return writeManifest(w, "backed up to "+args[0], m)
			})
		},
	}
	s.flag(cmd)
	out.flag(cmd)
	cmd.Flags().BoolVar(&leaveOut, "without-damaged", false, "leave damaged days out, and name them")
	return cmd
}

func oneFolder(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("give one folder, as in: %s /backup/netcinch-2026-03-05", cmd.CommandPath())
	}
	return nil
}

func writeManifest(w io.Writer, done string, m sqlite.Manifest) error {
	_, err := fmt.Fprintf(w, "%s: %s, %s, all checked; made %s\n", done, plural(int64(len(m.Files)), "file", "files"), bytesText(m.Bytes), clockText(m.Made))
	return err
}

func newStoreRestore(env *Env) *cobra.Command {
	var s storeCommand
	var out output
	cmd := &cobra.Command{
		Use:   "restore FOLDER",
		Short: "Make a store from a backup",
		Long: `Restore makes the store in --data-dir from a backup. Nothing may be there: an old
store is moved away first, by you. Every file is held against the backup's
checksums and read from end to end before the store gets its name, so that it is
restored whole or not at all.`,
		Example: "  netcinch store restore --data-dir /var/lib/netcinch /backup/netcinch-2026-03-05",
		Args:    oneFolder,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.known(); err != nil {
				return err
			}
			if s.dataDir == "" {
				return errors.New("give --data-dir, the folder to start the recommender with")
			}
			m, err := sqlite.Restore(cmd.Context(), args[0], filepath.Join(s.dataDir, "flows"))
			if err != nil {
				return err
			}
			return out.print(env.Stdout, m, func(w io.Writer) error { return writeManifest(w, "restored to "+s.dataDir, m) })
		},
	}
	cmd.Flags().StringVar(&s.dataDir, "data-dir", "", "folder to restore to, which the recommender is started with")
	out.flag(cmd)
	return cmd
}
