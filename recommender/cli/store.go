// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/store/sqlite"
)

// storeCommand is what the subcommands of store have in common.
type storeCommand struct{ dataDir string }

func newStore(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Look after what a recommender keeps: info, check, backup, restore, export",
		Long: `Store works on the folder that a recommender keeps its history in (--data-dir):
files of edges by day, the catalogue of every edge ever seen, and the register
of findings and of what people decided. All but restore work while a recommender
is running on the folder, and none of them changes it.`,
		Example: `  netcinch store info --data-dir /var/lib/netcinch
  netcinch store backup --data-dir /var/lib/netcinch /backup/netcinch-2026-03-05
  netcinch store restore --data-dir /var/lib/netcinch /backup/netcinch-2026-03-05`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStoreInfo(env), newStoreCheck(env), newStoreBackup(env), newStoreRestore(env), newStoreExport(env))
	return cmd
}

func (s *storeCommand) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.dataDir, "data-dir", "", "folder that the recommender was started with, or a backup")
}

// dir finds the folder of the store's files.
func (s *storeCommand) dir() (string, error) {
	if s.dataDir == "" {
		return "", errors.New("give --data-dir, the folder that the recommender was started with")
	}
	for _, dir := range []string{filepath.Join(s.dataDir, "flows"), s.dataDir} {
		if found, err := sqlite.IsStore(dir); err != nil {
			return "", fmt.Errorf("--data-dir %s: %w", s.dataDir, plain(err))
		} else if found {
			return dir, nil
		}
	}
	if _, err := os.Stat(s.dataDir); err != nil {
		return "", fmt.Errorf("--data-dir %w", plain(err))
	}
	return "", fmt.Errorf("--data-dir %s: there is no store in it; give the folder that the recommender was started with", s.dataDir)
}

func (s *storeCommand) open() (*sqlite.Store, error) {
	dir, err := s.dir()
	if err != nil {
		return nil, err
	}
	return sqlite.OpenRead(dir)
}

// bytesText writes a size as people do.
func bytesText(n int64) string {
	const step = 1000
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n), 0
	for ; size >= step && unit < 4; unit++ {
		size /= step
	}
	return fmt.Sprintf("%.1f %cB", size, " kMGT"[unit])
}
