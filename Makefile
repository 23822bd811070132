# Needs python3.11 with pip and venv, make, bash and git; everything else is made here.
# Every target sets up what it needs, so `make demo` and `make test` work in a fresh clone.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint bench campaign lock install install-commands install-files uninstall clean

BIN := .venv/bin
# Dots, one a package, so that a slow line looks slow and not dead.
DOTS := awk '/^ *Collecting /{ printf "."; fflush() } END { print "" }'

# Sets $$python to a Python 3.11 that can make an environment, or says what to install.
define FIND_PYTHON
python=; \
for candidate in $(PYTHON) python3.11 python3; do \
  if "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then \
    python=$$candidate; break; \
  fi; \
done; \
if [ -z "$$python" ]; then \
  echo "traded needs Python 3.11, and neither python3.11 nor python3 is one." >&2; \
  echo "  next: on Debian or Ubuntu \`sudo apt install python3.11 python3.11-venv\`;" >&2; \
  echo "        elsewhere install it and run \`make PYTHON=/path/to/python3.11 ...\`" >&2; \
  exit 1; \
fi; \
if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
  echo "$$python cannot make virtual environments: its venv package is missing." >&2; \
  echo "  next: on Debian or Ubuntu \`sudo apt install python3.11-venv\`" >&2; \
  exit 1; \
fi
endef

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{ printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.ok ## See traded at work on the paper broker
	@$(BIN)/traded demo

# Half a command's time is reading its own source, so that is compiled once. What a test writes is not:
# Python tells two modules of one name apart by size and second. Tests wait for a third of their time,
# so that three processes keep two cores busy.
PYTEST := $(BIN)/python -m pytest
test: export PYTHONDONTWRITEBYTECODE = 1
test: lint ## Every check there is, the tests last (JOBS=6: on four cores)
	@$(BIN)/python -m compileall -q events projections daemon ops tests
	@echo "== pytest"
	@$(PYTEST) -m "not alone and not paced" --numprocesses $(or $(JOBS),3) --dist loadfile --no-loadscope-reorder
	@echo "== pytest, what lives at a pace, most of which is waiting"
	@$(PYTEST) -m paced --numprocesses 2 --dist loadfile $$(grep -rl --include='*.py' mark.paced tests)
	@echo "== pytest, one by one, what is about time"
	@$(PYTEST) -m alone $$(grep -rl --include='*.py' mark.alone tests)

lint: .venv/.ok ## Style, types and the one-way rule
	@echo "== ruff check"
	@$(BIN)/ruff check .
	@echo "== ruff format"
	@$(BIN)/ruff format --check .
	@echo "== mypy"
	@$(BIN)/mypy
	@echo "== import contracts"
	@$(BIN)/lint-imports --no-logo

bench: .venv/.ok .venv-peers/.ok ## Measure traded, and the peers beside it
	@$(BIN)/python -m ops.bench

campaign: .venv/.ok ## Try every promise for a day (SCALE=0.01: in minutes)
	@$(BIN)/python -m tests.campaigns --scale $(or $(SCALE),1)

# The locks are made by uv from an environment that is thrown away; using them needs pip alone.
# Pins stay as they are unless asked: `make lock UPGRADE=--upgrade` or `UPGRADE='-P click'`.
LOCK := pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-annotate --no-header

lock: ## Pin what pyproject.toml names, with hashes
	@$(FIND_PYTHON); \
	away=$$(mktemp -d); trap 'rm -rf "$$away"' EXIT; \
	"$$python" -m venv "$$away"; \
	"$$away/bin/python" -m pip --disable-pip-version-check --quiet install --only-binary=:all: uv; \
	"$$away/bin/uv" $(LOCK) $(UPGRADE) --group build pyproject.toml -o requirements.lock; \
	"$$away/bin/uv" $(LOCK) $(UPGRADE) --group dev -c requirements.lock pyproject.toml \
	  -o requirements-dev.lock; \
	if grep -nE '//|--index-url|--find-links' requirements.lock requirements-dev.lock; then \
	  echo "a lock names a host (above): it would work on this machine only" >&2; exit 1; \
	fi
	@echo "pinned: $$(grep -c == requirements.lock) to run, $$(grep -c == requirements-dev.lock) in all"

# Where `make install` puts things. DESTDIR stands before every path and in none of the files.
PREFIX := /usr/local
DESTDIR :=
SYSCONFDIR := /etc
UNITDIR := $(SYSCONFDIR)/systemd/system
HOME_DIR := $(PREFIX)/lib/traded
TO := $(DESTDIR)$(HOME_DIR)
UNITS := $(notdir $(wildcard systemd/*.service systemd/*.timer))

# What is done to the machine itself is left out where the files are only laid out (DESTDIR), and
# where no systemd runs.
define TELL_SYSTEMD
if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
endef

# A Python below somebody's home is no Python for a service, which sees no homes.
SHARE := $(DESTDIR)$(PREFIX)/share
MANUAL := $(SHARE)/man/man1/traded.1
COMPLETIONS := $(SHARE)/bash-completion/completions/traded \
  $(SHARE)/zsh/site-functions/_traded $(SHARE)/fish/vendor_completions.d/traded.fish

install: PYTHON := $(PYTHON) /usr/bin/python3.11 /usr/local/bin/python3.11
install: ## Install the service: PREFIX=/usr/local DESTDIR=
	@$(FIND_PYTHON); \
	case "$$("$$python" -c 'import sys; print(sys.base_prefix)')" in /home/*|/root/*) \
	  echo "traded: $$python lies in a home, which the sandbox of the service hides." >&2; \
	  echo "  next: \`apt install python3.11 python3.11-venv\`, or make install PYTHON=/path" >&2; \
	  exit 1;; \
	esac; \
	echo "traded: installing into $(TO), about a minute"; \
	mkdir -p "$(TO)"; \
	"$$python" -m venv --clear "$(TO)"; \
	printf '  %s pinned packages, hashes checked ' "$$(grep -c == requirements.lock)"; \
	"$(TO)/bin/python" -m pip --disable-pip-version-check install --progress-bar off --no-compile \
	  --require-hashes --only-binary=:all: -r requirements.lock | $(DOTS); \
	"$(TO)/bin/python" -m pip --disable-pip-version-check --quiet install --no-compile \
	  --no-deps --no-build-isolation .; \
	grep -rlIF -e "$(TO)" "$(TO)/bin" "$(TO)/pyvenv.cfg" | xargs sed -i "s|$(TO)|$(HOME_DIR)|g"; \
	"$(TO)/bin/python" -m compileall -q -j 0 -s "$(DESTDIR)" "$(TO)/lib"
	@$(MAKE) --no-print-directory install-commands install-files

install-commands:
	@install -d "$(DESTDIR)$(PREFIX)/bin" $(dir $(MANUAL) $(COMPLETIONS))
	@ln -sfn "$(HOME_DIR)/bin/traded" "$(DESTDIR)$(PREFIX)/bin/traded"
	@install -m 0755 ops/verify-host "$(DESTDIR)$(PREFIX)/bin/traded-verify-host"
	@"$(TO)/bin/python" -I -B -m ops.cli manual > $(MANUAL)
	@for shell in bash zsh fish; do \
	  "$(TO)/bin/python" -I -B -m ops.cli completion $$shell > "$(TO)/completion.$$shell"; \
	done
	@mv "$(TO)/completion.bash" $(word 1,$(COMPLETIONS))
	@mv "$(TO)/completion.zsh" $(word 2,$(COMPLETIONS))
	@mv "$(TO)/completion.fish" $(word 3,$(COMPLETIONS))

install-files:
	@install -d "$(DESTDIR)$(UNITDIR)" "$(DESTDIR)$(SYSCONFDIR)/sysusers.d" \
	  "$(DESTDIR)$(SYSCONFDIR)/tmpfiles.d" "$(DESTDIR)$(UNITDIR)/traded.service.d"
	@for unit in $(UNITS); do \
	  sed "s|/usr/local/bin/traded|$(PREFIX)/bin/traded|g" "systemd/$$unit" \
	    > "$(DESTDIR)$(UNITDIR)/$$unit"; \
	  chmod 0644 "$(DESTDIR)$(UNITDIR)/$$unit"; \
	done
	@install -m 0644 systemd/credentials.conf \
	  "$(DESTDIR)$(UNITDIR)/traded.service.d/credentials.conf.example"
	@install -m 0644 systemd/sysusers.conf "$(DESTDIR)$(SYSCONFDIR)/sysusers.d/traded.conf"
	@install -m 0644 systemd/tmpfiles.conf "$(DESTDIR)$(SYSCONFDIR)/tmpfiles.d/traded.conf"
	@install -d -m 0750 "$(DESTDIR)$(SYSCONFDIR)/traded"
	@if [ -e "$(DESTDIR)$(SYSCONFDIR)/traded/traded.toml" ]; then \
	  echo "traded: $(SYSCONFDIR)/traded/traded.toml stays as it is"; \
	else \
	  install -m 0640 ops/sample-config.toml "$(DESTDIR)$(SYSCONFDIR)/traded/traded.toml"; \
	fi
	@if [ -z "$(DESTDIR)" ] && command -v systemd-sysusers > /dev/null; then \
	  systemd-sysusers traded.conf; systemd-tmpfiles --create traded.conf; \
	fi
	@$(TELL_SYSTEMD)
	@echo "traded: installed. Next:"
	@echo "  edit $(SYSCONFDIR)/traded/traded.toml, then \`traded check-config\`"
	@echo "  the account's number: $(UNITDIR)/traded.service.d/credentials.conf.example"
	@echo "  systemctl enable --now traded traded-{backup,verify,ready,report-daily,report-weekly}@traded.timer; then traded-watch, see its unit"

uninstall: ## Remove it again; configuration, journals and their user stay
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then \
	  systemctl disable --now --quiet 'traded*.timer' 'traded*.service' 2> /dev/null || true; \
	  systemctl stop 'traded*.timer' 'traded*.service'; \
	  rm -f /var/lib/systemd/timers/stamp-traded-*@*.timer; \
	fi
	@for unit in $(UNITS); do \
	  rm -f "$(DESTDIR)$(UNITDIR)/$$unit"; \
	  rm -f "$(DESTDIR)$(UNITDIR)"/*.wants/"$${unit%%.*}"*; \
	done
	@rm -f "$(DESTDIR)$(UNITDIR)/traded.service.d/credentials.conf.example"
	@rmdir "$(DESTDIR)$(UNITDIR)/traded.service.d" 2> /dev/null || true
	@rm -f "$(DESTDIR)$(SYSCONFDIR)/sysusers.d/traded.conf" "$(DESTDIR)$(SYSCONFDIR)/tmpfiles.d/traded.conf"
	@rm -f "$(DESTDIR)$(PREFIX)/bin/traded" "$(DESTDIR)$(PREFIX)/bin/traded-verify-host" \
	  $(MANUAL) $(COMPLETIONS)
	@rm -rf "$(TO)"
	@$(TELL_SYSTEMD)
	@echo "traded: removed. What stays: $(SYSCONFDIR)/traded, /var/lib/traded (the journals), the user traded"

clean: ## Remove environments and caches; journals under var/ stay
	rm -rf .venv .venv-peers build dist .hypothesis \
	  .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find events projections daemon ops tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.packages: requirements-dev.lock
	@$(FIND_PYTHON); \
	echo "traded: setting up .venv, about a minute the first time"; \
	"$$python" -m venv --clear .venv; \
	printf '  %s pinned packages, hashes checked ' "$$(grep -c == $<)"; \
	$(BIN)/python -m pip --disable-pip-version-check install --progress-bar off \
	  --require-hashes --only-binary=:all: -r $< | $(DOTS)
	@touch $@

# A stamp of its own, so that a setting changed in pyproject.toml costs a second and not a minute.
.venv/.ok: .venv/.packages pyproject.toml
	@echo "traded: installing this folder into .venv"
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install \
	  --no-deps --no-build-isolation -e .
	@touch $@

# The peers pin old versions of what we use, so they never share our environment.
.venv-peers/.ok: ops/bench/peers.txt
	@$(FIND_PYTHON); \
	echo "traded: setting up .venv-peers for the comparison"; \
	"$$python" -m venv --clear .venv-peers; \
	printf '  peers '; \
	.venv-peers/bin/python -m pip --disable-pip-version-check install --progress-bar off \
	  -r $< | $(DOTS)
	@touch $@
