/**
 * The OpenCode plugin as text, for whoever writes it into OpenCode's folder: one file each, as `npm run gen` made them from src/plugin. Never
 * run here.
 */
import pluginText from "./opencode-plugin.txt" with { type: "text" };
import tuiText from "./opencode-tui.txt" with { type: "text" };

/** `rotor.js`: routes OpenCode's `openai` to Rotor; OpenCode 1.x and 2.x. */
export const OPENCODE_PLUGIN_TEXT: string = pluginText;

/** `rotor-tui.js`: status and palette commands; listed in tui.json. */
export const OPENCODE_TUI_TEXT: string = tuiText;
