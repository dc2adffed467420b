//! Turns of phrase that say what a sentence is for, in the six languages.

use crate::summary::extractive::words::{joined, number};

/// What a phrase says of the sentence that it stands in, or of the section that it heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    /// The sentence draws a conclusion, or says what was found, decided or demanded.
    Point,
    /// It weighs one thing against another, gives a reason, or says what is not or may not be.
    Turn,
    /// It names money, a share or a span of time.
    Amount,
    /// It gives an example, an aside, or refers to what stands elsewhere.
    Aside,
    /// It is about the paper it stands on: rights, page numbers, menus.
    Boilerplate,
    /// The section sums up.
    Summary,
    /// The section lists sources or thanks, or is a table of contents.
    Back,
    /// Something is broken.
    Severe,
    /// Something may be about to break.
    Warning,
}

/// The longest phrase, in words.
const LONGEST: usize = 4;

const PLACES: usize = 2048;

/// The phrases, found by their words' numbers.
#[derive(Debug)]
pub(super) struct Phrases {
    table: Vec<Option<(u32, Cue)>>,
    /// One bit for each last word of a phrase, by its number: most words end none.
    ends: Vec<u64>,
}

impl Phrases {
    /// The bytes of the tables.
    pub(super) const BYTES: usize = PLACES * size_of::<Option<(u32, Cue)>>() + ENDS * 8;

    /// Reads the lists.
    pub(super) fn new() -> Self {
        let mut phrases = Self { table: vec![None; PLACES], ends: vec![0; ENDS] };
        for (cue, list) in LISTS {
            for phrase in list.split('|').map(str::trim) {
                phrases.add(phrase, *cue);
            }
        }
        phrases
    }

    /// The cue of a phrase that ends with the last of the words seen.
    pub(super) fn ending(&self, seen: &Window) -> Option<Cue> {
        let (word, bit) = end(*seen.last.first()?);
        if self.ends.get(word)? & bit == 0 {
            return None;
        }
        // The longest that fits.
        (1..=LONGEST).rev().find_map(|words| self.find(seen.phrase(words)))
    }

    fn find(&self, phrase: u32) -> Option<Cue> {
        let mut at = place(phrase);
        while let Some((found, cue)) = self.table.get(at)? {
            if *found == phrase {
                return Some(*cue);
            }
            at = (at + 1) % PLACES;
        }
        None
    }

    fn add(&mut self, phrase: &str, cue: Cue) {
        let mut window = Window::default();
        let mut words = 0;
        for word in phrase.split(' ') {
            window.push(number(word));
            words += 1;
        }
        let phrase = window.phrase(words);
        let (word, bit) = end(window.last[0]);
        if let Some(ends) = self.ends.get_mut(word) {
            *ends |= bit;
        }
        let mut at = place(phrase);
        while self.table.get(at).is_some_and(|place| place.is_some_and(|(it, _)| it != phrase)) {
            at = (at + 1) % PLACES;
        }
        if let Some(place) = self.table.get_mut(at) {
            *place = Some((phrase, cue));
        }
    }
}

/// The last words seen, the newest first.
#[derive(Debug, Default)]
pub(super) struct Window {
    last: [u32; LONGEST],
}

impl Window {
    /// Sees another word.
    pub(super) fn push(&mut self, number: u32) {
        self.last.rotate_right(1);
        self.last[0] = number;
    }

    fn phrase(&self, words: usize) -> u32 {
        joined(self.last.iter().take(words).copied())
    }
}

/// Words of the set of last words.
const ENDS: usize = 128;

fn end(number: u32) -> (usize, u64) {
    let hash = number.wrapping_mul(0x9e37_79b1) >> 16;
    (usize::try_from(hash >> 6).unwrap_or(0) % ENDS, 1 << (hash & 63))
}

fn place(phrase: u32) -> usize {
    usize::try_from(phrase >> 8 ^ phrase).unwrap_or(0) % PLACES
}

/// A word with an apostrophe is two words here.
const LISTS: &[(Cue, &str)] = &[
    (
        Cue::Turn,
        "because|but|although|though|cannot|not|no longer|only|until|unless|without|never|nobody|none|nothing\
|since|so|why|instead of|no one|may not|neither|already|still|would have|could have\
|weil|aber|obwohl|sondern|nicht|nicht mehr|kein|keine|keinen|nur|bis|ohne|nie|niemand|nichts|da|warum|darf|dürfen|noch\
|parce que|mais|bien que|ne|pas|plus que|seulement|jusqu|sans|jamais|personne|rien|car|pourquoi|alors que\
|porque|pero|aunque|sino|no|solo|sólo|hasta|sin|nunca|nadie|nada|ya que|todavía\
|perché|ma|anche se|non|soltanto|solo|fino|senza|mai|nessuno|niente|poiché|ancora\
|mas|embora|não|apenas|até|sem|ninguém|já que|pois|ainda",
    ),
    (
        Cue::Amount,
        "euro|euros|dollars|dollar|pounds|percent|per cent|million|billion|hours|days|weeks|months|years\
|prozent|millionen|mio|milliarden|stunden|tage|tagen|wochen|monate|monaten|jahre|jahren\
|pour cent|millions|heures|jours|semaines|mois|ans|por ciento|millones|horas|días|semanas|meses|años\
|per cento|milioni|ore|giorni|settimane|mesi|anni|por cento|milhões|reais|dias|semanas|anos",
    ),
    (
        Cue::Point,
        "in summary|to summarize|to summarise|in conclusion|to conclude|we conclude|concluded that\
|concludes that|in short|in brief|overall|therefore|consequently|as a result|we found|we find|we show\
|we demonstrate|we propose|we present|we introduce|this paper|this report|this study|our results|our method\
|our approach|our experiments|results show|results indicate|results suggest|the results|found that|shows that\
|show that|showed that|demonstrate that|suggests that|suggest that|indicates that|indicate that|outperforms\
|outperform|the main|the key|key finding|key findings|most important|importantly|significantly|main reason\
|root cause|was caused by|caused by|decided|decided to|decision|agreed|agreed to|recommend|recommends\
|recommended|recommendation|we recommend|must be|required to|deadline|action item|action items|the goal|the aim\
|the purpose|the problem|in total|for the first time|approved|resolved|conclusion",
    ),
    (
        Cue::Point,
        "zusammenfassend|insgesamt|fazit|kurz gesagt|daraus folgt|folglich|infolgedessen|wir fanden\
|es zeigte sich|zeigt dass|zeigen dass|zeigte dass|ergab dass|ergaben dass|ergebnis|ergebnisse|das ergebnis\
|die ergebnisse|entscheidend|wichtig ist|am wichtigsten|ursache|die ursache|ursache war|beschlossen|beschluss\
|entschieden|vereinbart|empfehlen|empfohlen|empfiehlt|empfehlung|muss bis|ziel ist|das ziel|das problem|erstmals\
|genehmigt|wird daher|schließlich",
    ),
    (
        Cue::Point,
        "en résumé|en conclusion|pour conclure|en bref|au total|par conséquent|en conséquence\
|nous avons constaté|nous concluons|conclut que|montre que|montrent que|indique que|révèle que|les résultats\
|résultat|l essentiel|le principal|la principale|la cause|a été décidé|décidé de|décision|convenu|recommandons\
|recommande|recommandé|il faut|l objectif|le but|le problème|pour la première fois|approuvé|doit être",
    ),
    (
        Cue::Point,
        "en resumen|en conclusión|para concluir|en definitiva|en total|por lo tanto|por tanto\
|en consecuencia|como resultado|encontramos que|concluimos|concluye que|muestra que|muestran que|demuestra que\
|indica que|los resultados|resultado|lo más importante|el principal|la principal|la causa|se decidió\
|decidió|decisión|acordó|acordaron|se acordó|recomendamos|recomienda|se recomienda|el objetivo|el problema\
|por primera vez|aprobó|aprobado|debe ser",
    ),
    (
        Cue::Point,
        "in sintesi|in conclusione|per concludere|in breve|in totale|pertanto|di conseguenza\
|abbiamo trovato|concludiamo|conclude che|mostra che|mostrano che|dimostra che|indica che|i risultati|risultato\
|il principale|la principale|la causa|è stato deciso|deciso di|deciso|decisione|concordato|si raccomanda\
|raccomandiamo|raccomanda|obiettivo|l obiettivo|il problema|per la prima volta|approvato|deve essere",
    ),
    (
        Cue::Point,
        "em resumo|em suma|em conclusão|para concluir|concluindo|no total|portanto|por conseguinte\
|como resultado|constatamos|concluímos|conclui que|mostra que|mostram que|demonstra que|indica que\
|os resultados|resultado|o mais importante|o principal|a principal|a causa|foi decidido|decidiu|decisão\
|acordado|recomendamos|recomenda|recomenda se|o objetivo|o problema|pela primeira vez|aprovado|deve ser",
    ),
    (
        Cue::Aside,
        "for example|for instance|e g|such as|see section|see figure|see table|as shown in|in figure\
|in table|figure|in other words|by the way|incidentally|zum beispiel|beispielsweise|z b|siehe|siehe abschnitt\
|im übrigen|nebenbei|par exemple|p ex|voir|voir section|por ejemplo|p ej|véase|ver sección|per esempio\
|ad esempio|ad es|vedi|por exemplo|p e|ver seção|remainder of|is organized as|is structured as|organized as follows\
|structured as follows",
    ),
    (
        Cue::Boilerplate,
        "all rights reserved|copyright|terms of use|terms of service|privacy policy|cookies\
|cookie policy|click here|read more|subscribe|sign up|log in|newsletter|share this|table of contents|page of\
|unsubscribe|isbn|issn|doi|alle rechte vorbehalten|datenschutzerklärung|impressum|mehr lesen|tous droits réservés\
|mentions légales|lire la suite|todos los derechos|leer más|tutti i diritti riservati|leggi tutto\
|todos os direitos|leia mais|this page intentionally|confidential|vertraulich",
    ),
    (
        Cue::Summary,
        "summary|conclusion|conclusions|concluding|abstract|results|findings|recommendations\
|recommendation|decisions|decision|outcome|outcomes|key points|overview|takeaways|discussion|next steps|actions\
|zusammenfassung|fazit|ergebnis|ergebnisse|schlussfolgerung|schlussfolgerungen|schluss|beschlüsse|beschluss\
|empfehlung|empfehlungen|überblick|ausblick|maßnahmen|kurzfassung|résumé|conclusions|résultats|recommandations\
|décisions|synthèse|bilan|resumen|conclusión|conclusiones|resultados|recomendaciones|decisiones|acuerdos\
|riassunto|sintesi|conclusione|conclusioni|risultati|raccomandazioni|decisioni|sommario|resumo|conclusão\
|conclusões|recomendações|decisões",
    ),
    (
        Cue::Back,
        "references|bibliography|acknowledgements|acknowledgments|contents|index|appendix|glossary\
|literatur|literaturverzeichnis|quellen|danksagung|inhalt|inhaltsverzeichnis|anhang|impressum|références\
|bibliographie|remerciements|sommaire|annexe|referencias|bibliografía|agradecimientos|índice|anexo|riferimenti\
|bibliografia|ringraziamenti|indice|appendice|referências|agradecimentos|license|licence|disclaimer",
    ),
    (
        Cue::Severe,
        "error|errors|fail|failed|failure|failures|fatal|panic|critical|crit|emerg|alert|exception\
|traceback|segfault|crash|crashed|crashing|corrupt|corrupted|corruption|aborted|abort|killed|oom|out of memory\
|denied|refused|unreachable|lost|overheating|shutdown|tripped|fehler|fehlgeschlagen|abgebrochen|ausfall\
|erreur|échec|échoué|panne|fallo|falló|avería|errore|fallito|guasto|erro|falhou|falha",
    ),
    (
        Cue::Warning,
        "warn|warning|warnings|timeout|timed out|retry|retrying|degraded|slow|unexpected|invalid\
|expired|missing|exceeded|unable|cannot|rejected|disconnected|low|high|warnung|zeitüberschreitung|ungültig\
|avertissement|advertencia|aviso|avviso|attenzione",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::extractive::words::each_word;

    fn cues(text: &str) -> Vec<Cue> {
        let phrases = Phrases::new();
        let mut window = Window::default();
        let mut cues = Vec::new();
        each_word(text, |word| {
            window.push(word.whole);
            cues.extend(phrases.ending(&window));
        });
        cues
    }

    #[test]
    fn finds_phrases() {
        assert_eq!(cues("In summary, it holds."), [Cue::Point]);
        assert_eq!(cues("Es zeigte sich, dass z. B. Wasser fehlt."), [Cue::Point, Cue::Aside]);
        assert_eq!(cues("L'objectif: connection timed out"), [Cue::Point, Cue::Warning]);
        assert_eq!(cues("A walk in the park."), []);
    }

    #[test]
    fn the_table_has_room() {
        let used = Phrases::new().table.iter().flatten().count();
        assert!(used < PLACES / 2, "{used}");
    }
}
