/** In the page: the button for light and dark, and those that copy a command. */

/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

export function liveControls(root: Document): void {
  const theme = root.querySelector<HTMLButtonElement>('#theme');
  const { dataset } = root.documentElement;
  theme?.addEventListener('click', () => {
    const now = dataset['theme'] ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
    dataset['theme'] = now === 'dark' ? 'light' : 'dark';
  });
  if (theme) theme.hidden = false;
  for (const button of root.querySelectorAll<HTMLButtonElement>('button.copy')) {
    const code = button.parentElement?.querySelector('code');
    if (!code) continue;
    button.disabled = false;
    button.addEventListener('click', () => {
      const told = () => (button.textContent = button.value);
      // Where the clipboard is not to be had, the text is at least selected.
      navigator.clipboard.writeText(code.textContent).then(told, () => getSelection()?.selectAllChildren(code));
    });
  }
}
