cd /srv/lab/wt-installer; test_name=x; . tests/e2e/lib.sh; . tests/e2e/machine.sh; machine_root bookworm-lmod lmod; machine_root bookworm-gpg gpg gpg-agent gpgconf
