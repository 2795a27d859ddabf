/**
 * Content of chat messages as content of Responses items. What upstream cannot take is refused by its place in the request.
 */
import { isObject } from "./chat-facts.ts";
import { invalidChat, unsupportedChat } from "./chat-refusal.ts";

type Json = Readonly<Record<string, unknown>>;

/** Which kinds of parts a message may hold, and what its texts are called upstream. */
export type PartKinds = "input" | "input_text" | "output";

/** A text or a list of parts, as a list of Responses parts. */
export function contentParts(content: unknown, kinds: PartKinds, place: string): Json[] {
  if (typeof content === "string") return [textPart(content, kinds)];
  if (!Array.isArray(content)) throw invalidChat(place, `${place} must be a text or a list of parts`);
  return content.map((element, index) => part(element, kinds, `${place}[${index}]`));
}

function textPart(text: string, kinds: PartKinds): Json {
  return { type: kinds === "output" ? "output_text" : "input_text", text };
}

function part(element: unknown, kinds: PartKinds, place: string): Json {
  if (!isObject(element)) throw invalidChat(place, `${place} must be an object`);
  switch (element.type) {
    case "text":
      return textPart(textAt(element, "text", place), kinds);
    case "refusal":
      if (kinds === "output") return { type: "refusal", refusal: textAt(element, "refusal", place) };
      break;
    case "image_url":
      if (kinds === "input") return imagePart(element, place);
      break;
    case "file":
      if (kinds === "input") return filePart(element, place);
      break;
    case "input_audio":
      throw unsupportedChat(place, `${place} is audio, which upstream does not take`);
  }
  const type = JSON.stringify(element.type) ?? "none";
  throw invalidChat(`${place}.type`, `${place} may not be of type ${type} in this message`);
}

/** `{url, detail}` as the API says, or the address alone, as many programs write it. */
function imagePart(element: Json, place: string): Json {
  const image = isObject(element.image_url) ? element.image_url : { url: element.image_url };
  return {
    type: "input_image",
    image_url: textAt(image, "url", `${place}.image_url`),
    ...given({ detail: image.detail }),
  };
}

function filePart({ file }: Json, place: string): Json {
  if (!isObject(file)) throw invalidChat(`${place}.file`, `${place}.file must be an object`);
  if (typeof file.file_id === "string") {
    const words = "an uploaded file belongs to one account; send file_data instead";
    throw unsupportedChat(`${place}.file.file_id`, words);
  }
  return {
    type: "input_file",
    ...given({ filename: file.filename }),
    file_data: textAt(file, "file_data", `${place}.file`),
  };
}

/** A member that must be a text. */
export function textAt(object: Json, key: string, place: string): string {
  const value = object[key];
  if (typeof value !== "string") throw invalidChat(`${place}.${key}`, `${place}.${key} must be a text`);
  return value;
}

/** Without what is absent or `null`: both mean "not said". */
function given(members: Json): Json {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined && value !== null));
}
