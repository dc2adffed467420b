//! How large a context window a request needs, and whether a model can have it.
//!
//! An Ollama cuts a prompt that is longer than `num_ctx` without a word, so the window is chosen
//! here from what prompt and answer need. There is no tokenizer on the device: tokens are
//! estimated from bytes, and the estimate is corrected by what each model reports.

/// Tokens kept free for the answer where the client names no limit.
const ANSWER_TOKENS: u32 = 512;

/// An answer shorter than this is not worth a request: a prompt that leaves less does not fit.
const LEAST_ANSWER: u32 = 16;

/// The smallest window that is asked for. Windows grow in powers of two from here, because each
/// change of `num_ctx` makes an Ollama load the model again.
const SMALLEST_WINDOW: u32 = 2048;

/// Room for the estimate being wrong.
const MARGIN: f64 = 1.15;

/// The window's bounds for one model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// The model's own limit, where it is known.
    pub(super) own: Option<u32>,
    /// The provider's `max_context`.
    pub(super) allowed: u32,
    /// The window that the model is loaded with, where we loaded it.
    pub(super) loaded: Option<u32>,
}

/// A prompt that fits no window that the model may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong {
    /// Tokens that prompt and the shortest answer need, by estimate.
    pub(super) needed: u32,
    /// Tokens of the largest window.
    pub(super) largest: u32,
}

impl Window {
    /// The largest window that the model may have here.
    pub(super) fn largest(&self) -> u32 {
        self.own.map_or(self.allowed, |own| own.min(self.allowed))
    }

    /// The `num_ctx` for a prompt of `prompt` tokens and an answer of at most `answer`; not under
    /// `least`, where the client names one and the model may have it.
    pub(super) fn choose(
        &self,
        prompt: u32,
        answer: Option<u32>,
        least: Option<u32>,
    ) -> Result<u32, TooLong> {
        let largest = self.largest();
        let needed = prompt.saturating_add(answer.unwrap_or(LEAST_ANSWER).min(LEAST_ANSWER));
        if needed > largest {
            return Err(TooLong { needed, largest });
        }
        let wanted = with_margin(prompt).saturating_add(answer.unwrap_or(ANSWER_TOKENS));
        let step = wanted.max(SMALLEST_WINDOW).checked_next_power_of_two().unwrap_or(u32::MAX);
        let chosen = step.max(least.unwrap_or_default()).min(largest);
        // What is loaded and large enough is kept: a smaller window would cost a reload.
        Ok(self.loaded.filter(|loaded| *loaded >= chosen && *loaded <= largest).unwrap_or(chosen))
    }
}

fn with_margin(tokens: u32) -> u32 {
    scale(tokens, MARGIN)
}

/// How a model's real token counts relate to the estimate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Correction(f64);

impl Default for Correction {
    fn default() -> Self {
        Self(1.0)
    }
}

impl Correction {
    /// Prompts shorter than this are mostly template and teach nothing.
    const LEAST_SAMPLE: u32 = 64;

    /// Real tokens for each that was estimated.
    pub(super) fn factor(self) -> f64 {
        self.0
    }

    pub(super) fn apply(self, estimate: u32) -> u32 {
        scale(estimate, self.0)
    }

    /// Learns from one answer. Upwards at once, because too small a window costs the answer;
    /// downwards slowly, because a prompt that the model had cached is reported short.
    pub(super) fn learn(&mut self, estimate: u32, reported: u64) {
        if estimate < Self::LEAST_SAMPLE {
            return;
        }
        let reported = u32::try_from(reported).unwrap_or(u32::MAX);
        let ratio = f64::from(reported) / f64::from(estimate);
        let weight = if ratio > self.0 { 0.5 } else { 0.05 };
        self.0 = (self.0 + weight * (ratio - self.0)).clamp(0.7, 4.0);
    }

    /// A prompt was cut: the estimate was far too small.
    pub(super) fn cut(&mut self) {
        self.0 = (self.0 * 1.5).clamp(0.7, 4.0);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast to an integer saturates, and no factor here is negative"
)]
fn scale(tokens: u32, factor: f64) -> u32 {
    (f64::from(tokens) * factor).ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(own: Option<u32>, loaded: Option<u32>) -> Window {
        Window { own, allowed: 8192, loaded }
    }

    #[test]
    fn grows_in_powers_of_two_and_keeps_what_is_loaded() {
        let table = [
            (window(None, None), 10, None, 2048),
            (window(None, None), 1500, None, 4096),
            (window(None, None), 1500, Some(100), 2048),
            (window(None, Some(4096)), 10, None, 4096),
            (window(None, Some(2048)), 3000, None, 4096),
            (window(Some(3000), None), 2600, None, 3000),
            (window(Some(512), None), 10, None, 512),
            (window(None, None), 8000, None, 8192),
            (window(None, Some(16_384)), 10, None, 2048),
        ];
        for (window, prompt, answer, want) in table {
            assert_eq!(
                window.choose(prompt, answer, None),
                Ok(want),
                "{window:?} {prompt} {answer:?}"
            );
        }
    }

    #[test]
    fn says_both_numbers_of_what_does_not_fit() {
        let error = window(Some(4096), None).choose(4090, None, None).unwrap_err();
        assert_eq!(error, TooLong { needed: 4106, largest: 4096 });
        assert!(window(Some(4096), None).choose(4095, Some(1), None).is_ok());
        assert_eq!(window(None, None).choose(10, None, Some(3000)), Ok(3000));
        assert_eq!(window(Some(512), None).choose(10, None, Some(3000)), Ok(512));
    }

    #[test]
    fn learns_up_fast_and_down_slowly() {
        let mut correction = Correction::default();
        correction.learn(1000, 2000);
        assert_eq!(correction.apply(100), 150);
        correction.learn(1000, 10);
        assert!(correction.apply(100) > 140);
        correction.learn(10, 1_000_000);
        assert!(correction.apply(100) < 150, "a short prompt teaches nothing");
    }
}
