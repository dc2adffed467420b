//! Function words: they say in which language a text is, and nothing of what it is about.

use crate::summary::extractive::language::Language;
use crate::summary::extractive::words::number;

/// Places of the table: twice what the lists need.
const PLACES: usize = 2048;

/// The words of all lists, found by their numbers.
#[derive(Debug)]
pub(super) struct Stops {
    table: Vec<(u32, u8)>,
}

impl Stops {
    /// The bytes of the table.
    pub(super) const BYTES: usize = PLACES * size_of::<(u32, u8)>();

    /// Reads the lists.
    pub(super) fn new() -> Self {
        let mut stops = Self { table: vec![(0, 0); PLACES] };
        for (bit, language) in Language::ALL.into_iter().enumerate() {
            for word in list(language).split_ascii_whitespace() {
                stops.add(number(word), 1 << bit);
            }
        }
        stops
    }

    /// The languages that have the word, one bit each, in their order.
    pub(super) fn languages(&self, number: u32) -> u8 {
        let mut at = place(number);
        loop {
            match self.table.get(at) {
                Some((found, set)) if *set > 0 && *found != number => at = (at + 1) % PLACES,
                Some((_, set)) => return *set,
                None => return 0,
            }
        }
    }

    /// Whether it is a function word of the language.
    pub(super) fn has(&self, number: u32, language: Option<Language>) -> bool {
        let Some(language) = language else { return false };
        let bit = Language::ALL.iter().position(|it| *it == language).unwrap_or(0);
        self.languages(number) >> bit & 1 == 1
    }

    fn add(&mut self, number: u32, bit: u8) {
        let mut at = place(number);
        while let Some((found, set)) = self.table.get_mut(at) {
            if *set == 0 || *found == number {
                (*found, *set) = (number, *set | bit);
                return;
            }
            at = (at + 1) % PLACES;
        }
    }
}

fn place(number: u32) -> usize {
    let high = number.wrapping_mul(0x9e37_79b1) >> 16;
    usize::try_from(high).unwrap_or(0) % PLACES
}

const fn list(language: Language) -> &'static str {
    match language {
        Language::English => ENGLISH,
        Language::German => GERMAN,
        Language::French => FRENCH,
        Language::Spanish => SPANISH,
        Language::Italian => ITALIAN,
        Language::Portuguese => PORTUGUESE,
    }
}

const ENGLISH: &str = "a about above after again against all almost along already also although always \
am among an and another any are as at away back be because been before being below between both but by \
can cannot could d did do does doing don done down during each either else enough etc even ever every few \
for from further get gets got had has have having he hence her here hers herself him himself his how \
however i if in indeed instead into is it its itself just least less let like ll made make many may me \
might mine more most much must my myself near neither no nor not now of off often on once one only onto \
or other others our ours out over own per perhaps quite rather re really s same shall she should since so \
some such t than that the their theirs them themselves then there therefore these they this those though \
three through thus to together too toward two under until up upon us ve very via was we well were what \
when where whether which while who whom whose why will with within without would yet you your yours";

const GERMAN: &str = "ab aber alle allem allen aller alles als also am an andere anderen anderer auch auf \
aus außer bei beide beiden beim bereits bevor bin bis bist bzw da dabei dadurch dafür daher damit danach \
dann daran darauf daraus darf darin das dass dasselbe davon dazu dein deine dem den denen denn dennoch der \
deren des deshalb dessen die dies diese diesem diesen dieser dieses doch dort du durch dürfen ebenfalls \
ebenso ein eine einem einen einer eines einige einigen einmal er erst es etwa etwas euch euer für gegen \
gemäß gewesen hab habe haben hat hatte hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer \
im immer in indem ins ist ja je jede jedem jeden jeder jedes jedoch jetzt kann kein keine keinem keinen \
keiner können könnte konnte machen man mehr mein meine mich mir mit muss müssen musste nach nachdem neben \
nicht nichts noch nun nur ob oder ohne schon sehr sein seine seinem seinen seiner seit seitdem sich sie \
sind so sobald sofern solche soll sollen sollte somit sondern sonst soweit sowie sowohl über um und uns \
unser unsere unter viel viele vom von vor während wann war waren warum was weder wegen weil weiter weitere \
welche welcher wenn wer werden wie wieder will wir wird wo wobei wurde wurden würde würden zu zum zur zwar \
zwei zwischen";

const FRENCH: &str = "a afin ai ainsi alors après au aucun aucune aujourd aussi autre autres aux avaient \
avait avant avec avoir avons beaucoup bien c car ce ceci cela celle celles celui cependant ces cet cette \
ceux chaque chez ci comme comment contre d dans de déjà depuis dernier des dès deux devant doit doivent \
donc dont du durant elle elles en encore entre es est et étaient était étant été êtes être eu eux fait \
faire faut fois font hors ici il ils j je jusqu jusque l la là laquelle le lequel les lesquelles lesquels \
leur leurs lors lorsque lui m ma mais malgré me même mêmes mes moi moins mon n ne ni non nos notre nous \
on ont ou où par parce parmi pas pendant peu peut peuvent plus plusieurs plutôt pour pourquoi pourtant pu \
puis puisque qu quand que quel quelle quelles quelque quelques quels qui quoi s sa sans se selon sera \
serait seront ses seulement si sinon soit son sont sous souvent suis sur t ta tandis te tel telle telles \
tels tes toi ton toujours tous tout toute toutefois toutes très trop tu un une vers via voici voilà vos \
votre vous y";

const SPANISH: &str = "a además ahora al algo alguna algunas alguno algunos allí ambos ante antes aquel \
aquella aquellos aquí así aún aunque bajo bien cada casi como cómo con contra cual cuales cualquier cuando \
cuándo cuanto de debe deben del desde después donde dónde dos durante e el él ella ellas ello ellos en \
entonces entre era eran es esa esas ese eso esos está estaba estado están estar estas este esto estos fue \
fueron ha había han hace hacer hacia han hasta hay haya he la las le les lo los luego más me mediante menos \
mi mientras mis misma mismas mismo mismos mucha muchas mucho muchos muy nada ni ningún ninguna no nos \
nosotros nuestra nuestro nunca o os otra otras otro otros para pero poco por porque pues puede pueden que \
qué quien quién quienes se sea según ser será si sí sido siempre sin sino sobre solo sólo son su sus \
también tampoco tan tanto te tener tiene tienen toda todas todavía todo todos tras tu tus un una unas uno \
unos usted ustedes va vez y ya yo";

const ITALIAN: &str = "a abbiamo ad agli ai al alcune alcuni all alla alle allo allora altra altre altri \
altro anche ancora anzi appena avere aveva avevano c che chi ci ciascuno ciò cioè coi col come con così \
cui d da dagli dai dal dall dalla dalle dallo dei del dell della delle dello dentro deve devono di dopo \
dove due dunque durante e è ed egli era erano essa esse essere essi essendo fa fare fino fra già gli ha \
hanno ho i il in infatti inoltre invece io l la le lei li lo loro lui ma mai me meno mentre mi mia mie \
miei mio molta molte molti molto ne né negli nei nel nell nella nelle nello nessun nessuna nessuno no noi \
non nostra nostro o oggi ogni oltre ora oppure per perché perciò però più poi poiché presso prima proprio \
può possono qual quale quali qualche quando quanto quasi quella quelle quelli quello questa queste questi \
questo qui quindi sarà saranno se secondo sempre senza si sia siano sono solo sopra sotto sta stata state \
stati stato su sua sue sugli sui sul sull sulla sulle suo suoi tale tali tanto te ti tra troppo tu tutta \
tutte tutti tutto un una uno v verso vi via viene vengono voi";

const PORTUGUESE: &str = "a à acerca agora ainda além algo alguém algum alguma algumas alguns ali ambos \
ante antes ao aos apenas apesar após aquela aquelas aquele aqueles aquilo as às assim até através bem cada \
com como contra contudo cuja cujo da daquele das de dela dele deles depois desde dessa desse desta deste \
deve devem disso do dois dos durante e é ela elas ele eles em embora enquanto então entre era eram essa \
essas esse esses esta está estão estar estas estava este estes estou eu fazer foi foram for há houve isso \
isto já la lhe lhes lo logo mais mas me mediante menos mesma mesmo meu minha muita muitas muito muitos na \
nada não nas nem nenhum nenhuma nessa nesse nesta neste no nos nós nossa nosso num numa nunca o onde os ou \
outra outras outro outros para pela pelas pelo pelos perante pode podem pois por porém porque portanto \
pouco qual quais qualquer quando quanto quase que quem se seja sem sempre sendo ser será seu seus sido \
sob sobre sua suas são só tal também tampouco tão tem têm ter teve tinha toda todas todo todos tudo um uma \
umas uns vai você vocês";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_fit_and_are_found() {
        let stops = Stops::new();
        let used = stops.table.iter().filter(|(_, set)| *set > 0).count();
        assert!(used < PLACES * 2 / 3, "{used}");
        for language in Language::ALL {
            let words: Vec<&str> = list(language).split_ascii_whitespace().collect();
            assert!((100..260).contains(&words.len()), "{language:?} {}", words.len());
            assert!(words.iter().all(|word| stops.has(number(word), Some(language))));
        }
        assert_eq!(stops.languages(number("summary")), 0);
        assert!(
            !stops.has(number("the"), None) && !stops.has(number("the"), Some(Language::German))
        );
    }
}
