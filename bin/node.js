// Says so where Node is too old, before anything fails in words that nobody understands. Plain enough for any Node.
const { node } = process.versions;
if (Number.parseInt(node) < 20) {
  console.error(
    `Cannot run: expected Node 20 or newer, got Node ${node}\nhint: install a newer one, from https://nodejs.org`,
  );
  process.exit(1);
}
