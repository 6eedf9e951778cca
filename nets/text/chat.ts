/** A conversation as the one text that a model was trained on, by the template that comes with it. */
import { Template } from '@huggingface/jinja';

export interface Message {
  role: string;
  content: string;
}

export interface ChatOptions {
  /** Whether the text ends where the model's answer begins. Default true. */
  prompt?: boolean;
  /** The texts of the tokens that the template names, such as bos_token. */
  tokens?: Readonly<Record<string, string>>;
}

/** Reads a template (Jinja, as in tokenizer_config.json or a GGUF file). Throws when it is none. What it gives throws when
 *  the template refuses a conversation, with the template's own words. Special tokens are in the text already: encode it
 *  without any before or after. */
export function chatTemplate(source: string): (messages: readonly Message[], options?: ChatOptions) => string {
  const template = new Template(source);
  return (messages, { prompt = true, tokens = {} } = {}) =>
    template.render({ messages, add_generation_prompt: prompt, ...tokens });
}
