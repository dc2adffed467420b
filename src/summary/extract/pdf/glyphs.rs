//! What the names of glyphs mean, which is how fonts without `ToUnicode` say it.

/// What a glyph's name means: one from the list, or one that is built by rule (`uni20AC`, `u1F600`,
/// `f_f_i`, `a.sc`).
pub(super) fn meaning(name: &str) -> Option<String> {
    let name = name.split('.').next().filter(|name| !name.is_empty())?;
    if let Some(known) = listed(name) {
        return Some(known.to_string());
    }
    if name.contains('_') {
        // Of no depth: the parts have no more of it.
        return name.split('_').map(|part| listed(part).map(String::from)).collect();
    }
    by_number(name)
}

fn listed(name: &str) -> Option<char> {
    let mut letters = name.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        return letter.is_ascii_alphabetic().then_some(letter);
    }
    GLYPHS.split(' ').find_map(|entry| {
        let meant = entry.strip_prefix(name)?.strip_prefix('=')?;
        // A space would part two entries.
        if meant == "~~" { Some(' ') } else { meant.chars().next() }
    })
}

fn by_number(name: &str) -> Option<String> {
    let digits = |text: &str, least: usize| {
        let fits = (least..=6).contains(&text.len());
        let number = fits.then(|| u32::from_str_radix(text, 16).ok()).flatten();
        number.and_then(char::from_u32)
    };
    if let Some(hexadecimal) = name.strip_prefix("uni").filter(|text| text.len() % 4 == 0) {
        let parts = hexadecimal.as_bytes().chunks(4);
        let meant: Option<String> =
            parts.map(|part| digits(std::str::from_utf8(part).ok()?, 4)).collect();
        return meant.filter(|meant| !meant.is_empty());
    }
    digits(name.strip_prefix('u')?, 4).map(String::from)
}

/// Adobe's list, as far as it is about letters and signs that a text has.
#[rustfmt::skip]
const GLYPHS: &str = "\
    AE=Æ AEacute=Ǽ AEmacron=Ǣ Aacute=Á Abreve=Ă Abrevecyrillic=Ӑ Acaron=Ǎ Acircumflex=Â \
    Acyrillic=А Adblgrave=Ȁ Adieresis=Ä Adieresiscyrillic=Ӓ Adieresismacron=Ǟ Adotmacron=Ǡ \
    Agrave=À Aiecyrillic=Ӕ Ainvertedbreve=Ȃ Alpha=Α Alphatonos=Ά Amacron=Ā Aogonek=Ą Aring=Å \
    Aringacute=Ǻ Atilde=Ã Becyrillic=Б Beta=Β Bhook=Ɓ Btopbar=Ƃ Cacute=Ć Ccaron=Č Ccedilla=Ç \
    Ccircumflex=Ĉ Cdot=Ċ Cdotaccent=Ċ Checyrillic=Ч Chi=Χ Chook=Ƈ DZ=Ǳ DZcaron=Ǆ Dafrican=Ɖ \
    Dcaron=Ď Dcroat=Đ Decyrillic=Д Deicoptic=Ϯ Delta=∆ Deltagreek=Δ Dhook=Ɗ Digammagreek=Ϝ \
    Djecyrillic=Ђ Dslash=Đ Dtopbar=Ƌ Dz=ǲ Dzcaron=ǅ Dzecyrillic=Ѕ Dzhecyrillic=Џ Eacute=É Ebreve=Ĕ \
    Ecaron=Ě Ecircumflex=Ê Ecyrillic=Є Edblgrave=Ȅ Edieresis=Ë Edot=Ė Edotaccent=Ė Efcyrillic=Ф \
    Egrave=È Eightroman=Ⅷ Einvertedbreve=Ȇ Eiotifiedcyrillic=Ѥ Elcyrillic=Л Elevenroman=Ⅺ \
    Emacron=Ē Emcyrillic=М Encyrillic=Н Eng=Ŋ Enghecyrillic=Ҥ Enhookcyrillic=Ӈ Eogonek=Ę Eopen=Ɛ \
    Epsilon=Ε Epsilontonos=Έ Ercyrillic=Р Ereversed=Ǝ Ereversedcyrillic=Э Escyrillic=С Esh=Ʃ Eta=Η \
    Etatonos=Ή Eth=Ð Euro=€ Ezh=Ʒ Ezhcaron=Ǯ Ezhreversed=Ƹ Feicoptic=Ϥ Fhook=Ƒ Fitacyrillic=Ѳ \
    Fiveroman=Ⅴ Fourroman=Ⅳ Gacute=Ǵ Gamma=Γ Gammaafrican=Ɣ Gangiacoptic=Ϫ Gbreve=Ğ Gcaron=Ǧ \
    Gcedilla=Ģ Gcircumflex=Ĝ Gcommaaccent=Ģ Gdot=Ġ Gdotaccent=Ġ Gecyrillic=Г Ghestrokecyrillic=Ғ \
    Gheupturncyrillic=Ґ Ghook=Ɠ Gjecyrillic=Ѓ Gstroke=Ǥ Hardsigncyrillic=Ъ Hbar=Ħ Hcircumflex=Ĥ \
    Horicoptic=Ϩ IAcyrillic=Я IJ=Ĳ IUcyrillic=Ю Iacute=Í Ibreve=Ĭ Icaron=Ǐ Icircumflex=Î \
    Icyrillic=І Idblgrave=Ȉ Idieresis=Ï Idieresiscyrillic=Ӥ Idot=İ Idotaccent=İ Iebrevecyrillic=Ӗ \
    Iecyrillic=Е Ifraktur=ℑ Igrave=Ì Iicyrillic=И Iinvertedbreve=Ȋ Iishortcyrillic=Й Imacron=Ī \
    Imacroncyrillic=Ӣ Iocyrillic=Ё Iogonek=Į Iota=Ι Iotaafrican=Ɩ Iotadieresis=Ϊ Iotatonos=Ί \
    Istroke=Ɨ Itilde=Ĩ Izhitsacyrillic=Ѵ Jcircumflex=Ĵ Jecyrillic=Ј Kabashkircyrillic=Ҡ \
    Kacyrillic=К Kahookcyrillic=Ӄ Kappa=Κ Kastrokecyrillic=Ҟ Kcaron=Ǩ Kcedilla=Ķ Kcommaaccent=Ķ \
    Khacyrillic=Х Kheicoptic=Ϧ Khook=Ƙ Kjecyrillic=Ќ Koppacyrillic=Ҁ Koppagreek=Ϟ Ksicyrillic=Ѯ \
    LJ=Ǉ Lacute=Ĺ Lambda=Λ Lcaron=Ľ Lcedilla=Ļ Lcommaaccent=Ļ Ldot=Ŀ Ldotaccent=Ŀ Lj=ǈ \
    Ljecyrillic=Љ Lslash=Ł Mturned=Ɯ Mu=Μ NJ=Ǌ Nacute=Ń Ncaron=Ň Ncedilla=Ņ Ncommaaccent=Ņ \
    Nhookleft=Ɲ Nineroman=Ⅸ Nj=ǋ Njecyrillic=Њ Ntilde=Ñ Nu=Ν OE=Œ Oacute=Ó Obarredcyrillic=Ө \
    Obreve=Ŏ Ocaron=Ǒ Ocenteredtilde=Ɵ Ocircumflex=Ô Ocyrillic=О Odblacute=Ő Odblgrave=Ȍ \
    Odieresis=Ö Odieresiscyrillic=Ӧ Ograve=Ò Ohm=Ω Ohorn=Ơ Ohungarumlaut=Ő Oi=Ƣ Oinvertedbreve=Ȏ \
    Omacron=Ō Omega=Ω Omegacyrillic=Ѡ Omegagreek=Ω Omegatonos=Ώ Omicron=Ο Omicrontonos=Ό \
    Oneroman=Ⅰ Oogonek=Ǫ Oogonekmacron=Ǭ Oopen=Ɔ Oslash=Ø Oslashacute=Ǿ Ostrokeacute=Ǿ \
    Otcyrillic=Ѿ Otilde=Õ Pecyrillic=П Phi=Φ Phook=Ƥ Pi=Π Psi=Ψ Psicyrillic=Ѱ Racute=Ŕ Rcaron=Ř \
    Rcedilla=Ŗ Rcommaaccent=Ŗ Rdblgrave=Ȑ Rfraktur=ℜ Rho=Ρ Rinvertedbreve=Ȓ Sacute=Ś Sampigreek=Ϡ \
    Scaron=Š Scedilla=Ş Schwa=Ə Schwacyrillic=Ә Scircumflex=Ŝ Scommaaccent=Ș Sevenroman=Ⅶ \
    Shacyrillic=Ш Shchacyrillic=Щ Sheicoptic=Ϣ Shhacyrillic=Һ Shimacoptic=Ϭ Sigma=Σ Sixroman=Ⅵ \
    Softsigncyrillic=Ь Stigmagreek=Ϛ Tau=Τ Tbar=Ŧ Tcaron=Ť Tcedilla=Ţ Tcommaaccent=Ţ Tecyrillic=Т \
    Tenroman=Ⅹ Tetsecyrillic=Ҵ Theta=Θ Thook=Ƭ Thorn=Þ Threeroman=Ⅲ Tonefive=Ƽ Tonesix=Ƅ Tonetwo=Ƨ \
    Tretroflexhook=Ʈ Tsecyrillic=Ц Tshecyrillic=Ћ Twelveroman=Ⅻ Tworoman=Ⅱ Uacute=Ú Ubreve=Ŭ \
    Ucaron=Ǔ Ucircumflex=Û Ucyrillic=У Udblacute=Ű Udblgrave=Ȕ Udieresis=Ü Udieresisacute=Ǘ \
    Udieresiscaron=Ǚ Udieresiscyrillic=Ӱ Udieresisgrave=Ǜ Udieresismacron=Ǖ Ugrave=Ù Uhorn=Ư \
    Uhungarumlaut=Ű Uinvertedbreve=Ȗ Ukcyrillic=Ѹ Umacron=Ū Umacroncyrillic=Ӯ Uogonek=Ų Upsilon=Υ \
    Upsilon1=ϒ Upsilonacutehooksymbolgreek=ϓ Upsilonafrican=Ʊ Upsilondieresis=Ϋ \
    Upsilondieresishooksymbolgreek=ϔ Upsilonhooksymbol=ϒ Upsilontonos=Ύ Uring=Ů Ushortcyrillic=Ў \
    Ustraightcyrillic=Ү Utilde=Ũ Vecyrillic=В Vhook=Ʋ Wcircumflex=Ŵ Xi=Ξ Yacute=Ý Yatcyrillic=Ѣ \
    Ycircumflex=Ŷ Ydieresis=Ÿ Yericyrillic=Ы Yhook=Ƴ Yicyrillic=Ї Yusbigcyrillic=Ѫ \
    Yuslittlecyrillic=Ѧ Zacute=Ź Zcaron=Ž Zdot=Ż Zdotaccent=Ż Zecyrillic=З Zeta=Ζ \
    Zhebrevecyrillic=Ӂ Zhecyrillic=Ж Zstroke=Ƶ aacute=á abreve=ă abrevecyrillic=ӑ acaron=ǎ \
    acircumflex=â acute=´ acutelowmod=ˏ acyrillic=а adblgrave=ȁ adieresis=ä adieresiscyrillic=ӓ \
    adieresismacron=ǟ adotmacron=ǡ ae=æ aeacute=ǽ aemacron=ǣ afii00208=― afii08941=₤ afii10017=А \
    afii10018=Б afii10019=В afii10020=Г afii10021=Д afii10022=Е afii10023=Ё afii10024=Ж \
    afii10025=З afii10026=И afii10027=Й afii10028=К afii10029=Л afii10030=М afii10031=Н \
    afii10032=О afii10033=П afii10034=Р afii10035=С afii10036=Т afii10037=У afii10038=Ф \
    afii10039=Х afii10040=Ц afii10041=Ч afii10042=Ш afii10043=Щ afii10044=Ъ afii10045=Ы \
    afii10046=Ь afii10047=Э afii10048=Ю afii10049=Я afii10050=Ґ afii10051=Ђ afii10052=Ѓ \
    afii10053=Є afii10054=Ѕ afii10055=І afii10056=Ї afii10057=Ј afii10058=Љ afii10059=Њ \
    afii10060=Ћ afii10061=Ќ afii10062=Ў afii10065=а afii10066=б afii10067=в afii10068=г \
    afii10069=д afii10070=е afii10071=ё afii10072=ж afii10073=з afii10074=и afii10075=й \
    afii10076=к afii10077=л afii10078=м afii10079=н afii10080=о afii10081=п afii10082=р \
    afii10083=с afii10084=т afii10085=у afii10086=ф afii10087=х afii10088=ц afii10089=ч \
    afii10090=ш afii10091=щ afii10092=ъ afii10093=ы afii10094=ь afii10095=э afii10096=ю \
    afii10097=я afii10098=ґ afii10099=ђ afii10100=ѓ afii10101=є afii10102=ѕ afii10103=і \
    afii10104=ї afii10105=ј afii10106=љ afii10107=њ afii10108=ћ afii10109=ќ afii10110=ў \
    afii10145=Џ afii10146=Ѣ afii10147=Ѳ afii10148=Ѵ afii10193=џ afii10194=ѣ afii10195=ѳ \
    afii10196=ѵ afii10846=ә afii57636=₪ afii61248=℅ afii61289=ℓ afii61352=№ agrave=à aiecyrillic=ӕ \
    ainvertedbreve=ȃ aleph=ℵ allequal=≌ alpha=α alphatonos=ά amacron=ā ampersand=& angle=∠ \
    angstrom=Å anoteleia=· aogonek=ą approaches=≐ approxequal=≈ approxequalorimage=≒ \
    approximatelyequal=≅ aring=å aringacute=ǻ arrowboth=↔ arrowdashdown=⇣ arrowdashleft=⇠ \
    arrowdashright=⇢ arrowdashup=⇡ arrowdown=↓ arrowdownleft=↙ arrowdownright=↘ arrowdownwhite=⇩ \
    arrowleft=← arrowleftdbl=⇐ arrowleftdblstroke=⇍ arrowleftoverright=⇆ arrowleftwhite=⇦ \
    arrowright=→ arrowrightdblstroke=⇏ arrowrightheavy=➞ arrowrightoverleft=⇄ arrowrightwhite=⇨ \
    arrowtableft=⇤ arrowtabright=⇥ arrowup=↑ arrowupdn=↕ arrowupdnbse=↨ arrowupdownbase=↨ \
    arrowupleft=↖ arrowupleftofdown=⇅ arrowupright=↗ arrowupwhite=⇧ asciicircum=^ asciitilde=~ \
    asterisk=* asteriskmath=∗ asterism=⁂ asymptoticallyequal=≃ at=@ atilde=ã backslash=\\ bar=| \
    beamedsixteenthnotes=♬ because=∵ becyrillic=б beta=β betasymbolgreek=ϐ blackdiamond=◆ \
    blackdownpointingtriangle=▼ blackleftpointingpointer=◄ blackleftpointingtriangle=◀ \
    blacklowerlefttriangle=◣ blacklowerrighttriangle=◢ blackrectangle=▬ \
    blackrightpointingpointer=► blackrightpointingtriangle=▶ blacksmallsquare=▪ blacksmilingface=☻ \
    blacksquare=■ blackstar=★ blackupperlefttriangle=◤ blackupperrighttriangle=◥ \
    blackuppointingsmalltriangle=▴ blackuppointingtriangle=▲ braceleft={ braceright=} \
    bracketleft=[ bracketright=] breve=˘ brokenbar=¦ bstroke=ƀ btopbar=ƃ bullet=• bulletinverse=◘ \
    bulletoperator=∙ bullseye=◎ cacute=ć capslock=⇪ careof=℅ caron=ˇ carriagereturn=↵ ccaron=č \
    ccedilla=ç ccircumflex=ĉ cdot=ċ cdotaccent=ċ cedilla=¸ cent=¢ centigrade=℃ checkmark=✓ \
    checyrillic=ч chi=χ chook=ƈ circumflex=ˆ clickalveolar=ǂ clickdental=ǀ clicklateral=ǁ \
    clickretroflex=ǃ club=♣ clubsuitblack=♣ clubsuitwhite=♧ colon=: colonmonetary=₡ colonsign=₡ \
    colontriangularhalfmod=ˑ colontriangularmod=ː comma=, compass=☼ congruent=≅ contourintegral=∮ \
    controlDEL= copyright=© cruzeiro=₢ curlyand=⋏ curlyor=⋎ currency=¤ dagger=† daggerdbl=‡ \
    dblarrowleft=⇔ dblarrowright=⇒ dblintegral=∬ dbllowline=‗ dblverticalbar=‖ dcaron=ď dcroat=đ \
    decyrillic=д degree=° deicoptic=ϯ delta=δ deltaturned=ƍ diamond=♦ diamondsuitwhite=♢ \
    dieresis=¨ divide=÷ divides=∣ divisionslash=∕ djecyrillic=ђ dmacron=đ dollar=$ dong=₫ \
    dotaccent=˙ dotlessi=ı dotmath=⋅ downtackmod=˕ dtopbar=ƌ dz=ǳ dzcaron=ǆ dzecyrillic=ѕ \
    dzhecyrillic=џ eacute=é earth=♁ ebreve=ĕ ecaron=ě ecircumflex=ê ecyrillic=є edblgrave=ȅ \
    edieresis=ë edot=ė edotaccent=ė efcyrillic=ф egrave=è eight=8 eighthnotebeamed=♫ eightroman=ⅷ \
    einvertedbreve=ȇ eiotifiedcyrillic=ѥ elcyrillic=л element=∈ elevenroman=ⅺ ellipsis=… \
    ellipsisvertical=⋮ emacron=ē emcyrillic=м emdash=— emptyset=∅ encyrillic=н endash=– eng=ŋ \
    enghecyrillic=ҥ enhookcyrillic=ӈ eogonek=ę epsilon=ε epsilontonos=έ equal== equivalence=≡ \
    ercyrillic=р ereversedcyrillic=э escyrillic=с eshreversedloop=ƪ estimated=℮ eta=η etatonos=ή \
    eth=ð eturned=ǝ euro=€ exclam=! exclamdbl=‼ exclamdown=¡ existential=∃ ezhcaron=ǯ \
    ezhreversed=ƹ ezhtail=ƺ fahrenheit=℉ feicoptic=ϥ female=♀ ff=ﬀ ffi=ﬃ ffl=ﬄ fi=ﬁ figuredash=‒ \
    filledbox=■ filledrect=▬ firsttonechinese=ˉ fisheye=◉ fitacyrillic=ѳ five=5 fiveeighths=⅝ \
    fiveroman=ⅴ fl=ﬂ florin=ƒ forall=∀ four=4 fourroman=ⅳ fourthtonechinese=ˋ fraction=⁄ franc=₣ \
    gacute=ǵ gamma=γ gangiacoptic=ϫ gbreve=ğ gcaron=ǧ gcedilla=ģ gcircumflex=ĝ gcommaaccent=ģ \
    gdot=ġ gdotaccent=ġ gecyrillic=г geometricallyequal=≑ germandbls=ß ghestrokecyrillic=ғ \
    gheupturncyrillic=ґ gjecyrillic=ѓ glottalinvertedstroke=ƾ gradient=∇ grave=` gravelowmod=ˎ \
    greater=> greaterequal=≥ greaterequalorless=⋛ greaterorequivalent=≳ greaterorless=≷ \
    greateroverequal=≧ gstroke=ǥ guillemotleft=« guillemotright=» guilsinglleft=‹ guilsinglright=› \
    hardsigncyrillic=ъ harpoonleftbarbup=↼ harpoonrightbarbup=⇀ hbar=ħ hcircumflex=ĥ heart=♥ \
    heartsuitblack=♥ heartsuitwhite=♡ horicoptic=ϩ horizontalbar=― hotsprings=♨ hungarumlaut=˝ \
    hv=ƕ hyphen=- hyphentwo=‐ iacute=í iacyrillic=я ibreve=ĭ icaron=ǐ icircumflex=î icyrillic=і \
    idblgrave=ȉ idieresis=ï idieresiscyrillic=ӥ iebrevecyrillic=ӗ iecyrillic=е igrave=ì \
    iicyrillic=и iinvertedbreve=ȋ iishortcyrillic=й ij=ĳ ilde=˜ imacron=ī imacroncyrillic=ӣ \
    imageorapproximatelyequal=≓ increment=∆ infinity=∞ integral=∫ intersection=∩ invbullet=◘ \
    invsmileface=☻ iocyrillic=ё iogonek=į iota=ι iotadieresis=ϊ iotadieresistonos=ΐ iotatonos=ί \
    itilde=ĩ iucyrillic=ю izhitsacyrillic=ѵ jcaron=ǰ jcircumflex=ĵ jecyrillic=ј \
    kabashkircyrillic=ҡ kacyrillic=к kahookcyrillic=ӄ kappa=κ kappasymbolgreek=ϰ \
    kastrokecyrillic=ҟ kcaron=ǩ kcedilla=ķ kcommaaccent=ķ kgreenlandic=ĸ khacyrillic=х \
    kheicoptic=ϧ khook=ƙ kjecyrillic=ќ koppacyrillic=ҁ ksicyrillic=ѯ lacute=ĺ lambda=λ \
    lambdastroke=ƛ lbar=ƚ lcaron=ľ lcedilla=ļ lcommaaccent=ļ ldot=ŀ ldotaccent=ŀ less=< \
    lessequal=≤ lessequalorgreater=⋚ lessorequivalent=≲ lessorgreater=≶ lessoverequal=≦ lira=₤ \
    lj=ǉ ljecyrillic=љ logicaland=∧ logicalnot=¬ logicalor=∨ longs=ſ lozenge=◊ lslash=ł lsquare=ℓ \
    macron=¯ macronlowmod=ˍ male=♂ mars=♂ middot=· minus=− minusmod=˗ minusplus=∓ minute=′ mu=µ \
    mu1=µ muchgreater=≫ muchless=≪ mugreek=μ multiply=× musicalnote=♪ musicalnotedbl=♫ \
    musicflatsign=♭ musicsharpsign=♯ nabla=∇ nacute=ń napostrophe=ŉ nbspace=~~ ncaron=ň ncedilla=ņ \
    ncommaaccent=ņ newsheqelsign=₪ nine=9 nineroman=ⅸ nj=ǌ njecyrillic=њ nlegrightlong=ƞ \
    nonbreakingspace=~~ notcontains=∌ notelement=∉ notelementof=∉ notequal=≠ notgreater=≯ \
    notgreaternorequal=≱ notgreaternorless=≹ notidentical=≢ notless=≮ notlessnorequal=≰ \
    notparallel=∦ notprecedes=⊀ notsubset=⊄ notsucceeds=⊁ notsuperset=⊅ ntilde=ñ nu=ν numbersign=# \
    numero=№ oacute=ó obarredcyrillic=ө obreve=ŏ ocaron=ǒ ocircumflex=ô ocyrillic=о odblacute=ő \
    odblgrave=ȍ odieresis=ö odieresiscyrillic=ӧ oe=œ ogonek=˛ ograve=ò ohorn=ơ ohungarumlaut=ő \
    oi=ƣ oinvertedbreve=ȏ omacron=ō omega=ω omega1=ϖ omegacyrillic=ѡ omegatonos=ώ omicron=ο \
    omicrontonos=ό one=1 onedotenleader=․ oneeighth=⅛ onehalf=½ onequarter=¼ oneroman=ⅰ onethird=⅓ \
    oogonek=ǫ oogonekmacron=ǭ openbullet=◦ ordfeminine=ª ordmasculine=º orthogonal=∟ oslash=ø \
    oslashacute=ǿ ostrokeacute=ǿ otcyrillic=ѿ otilde=õ overline=‾ overscore=¯ pagedown=⇟ pageup=⇞ \
    palochkacyrillic=Ӏ paragraph=¶ parallel=∥ parenleft=( parenright=) partialdiff=∂ pecyrillic=п \
    percent=% period=. periodcentered=· perpendicular=⊥ perthousand=‰ peseta=₧ phi=φ phi1=ϕ \
    phisymbolgreek=ϕ phook=ƥ pi=π pisymbolgreek=ϖ plus=+ plusminus=± plusmod=˖ \
    pointingindexdownwhite=☟ pointingindexleftwhite=☜ pointingindexrightwhite=☞ \
    pointingindexupwhite=☝ precedes=≺ prescription=℞ primereversed=‵ product=∏ propersubset=⊂ \
    propersuperset=⊃ proportion=∷ proportional=∝ psi=ψ psicyrillic=ѱ quarternote=♩ question=? \
    questiondown=¿ quotedbl=\" quotedblbase=„ quotedblleft=“ quotedblright=” quoteleft=‘ \
    quoteleftreversed=‛ quotereversed=‛ quoteright=’ quoterightn=ŉ quotesinglbase=‚ quotesingle=' \
    racute=ŕ radical=√ ratio=∶ rcaron=ř rcedilla=ŗ rcommaaccent=ŗ rdblgrave=ȑ referencemark=※ \
    reflexsubset=⊆ reflexsuperset=⊇ registered=® reversedtilde=∽ rho=ρ rhosymbolgreek=ϱ \
    rightangle=∟ righttriangle=⊿ ring=˚ ringhalfleftcentered=˓ ringhalfrightcentered=˒ \
    rinvertedbreve=ȓ sacute=ś scaron=š scedilla=ş schwacyrillic=ә scircumflex=ŝ scommaaccent=ș \
    second=″ secondtonechinese=ˊ section=§ semicolon=; seven=7 seveneighths=⅞ sevenroman=ⅶ \
    sfthyphen=- shacyrillic=ш shchacyrillic=щ sheicoptic=ϣ sheqel=₪ shhacyrillic=һ shimacoptic=ϭ \
    sigma=σ sigma1=ς sigmafinal=ς sigmalunatesymbolgreek=ϲ similar=∼ six=6 sixroman=ⅵ slash=/ \
    slong=ſ smileface=☺ softhyphen=- softsigncyrillic=ь space=~~ spade=♠ spadesuitblack=♠ \
    spadesuitwhite=♤ squarediagonalcrosshatchfill=▩ squarehorizontalfill=▤ \
    squareorthogonalcrosshatchfill=▦ squareupperlefttolowerrightfill=▧ \
    squareupperrighttolowerleftfill=▨ squareverticalfill=▥ squarewhitewithsmallblack=▣ sterling=£ \
    subset=⊂ subsetnotequal=⊊ subsetorequal=⊆ succeeds=≻ suchthat=∋ summation=∑ sun=☼ superset=⊃ \
    supersetnotequal=⊋ supersetorequal=⊇ tackdown=⊤ tackleft=⊣ tau=τ tbar=ŧ tcaron=ť tcedilla=ţ \
    tcommaaccent=ţ tecyrillic=т telephone=℡ telephoneblack=☎ tenroman=ⅹ tetsecyrillic=ҵ \
    thereexists=∃ therefore=∴ theta=θ theta1=ϑ thetasymbolgreek=ϑ thook=ƭ thorn=þ \
    thousandcyrillic=҂ three=3 threeeighths=⅜ threequarters=¾ threeroman=ⅲ tilde=˜ tildeoperator=∼ \
    titlocyrilliccmb=҃ tonefive=ƽ tonesix=ƅ tonetwo=ƨ tpalatalhook=ƫ trademark=™ triagdn=▼ \
    triaglf=◄ triagrt=► triagup=▲ tsecyrillic=ц tshecyrillic=ћ twelveroman=ⅻ two=2 \
    twodotenleader=‥ twodotleader=‥ tworoman=ⅱ twostroke=ƻ twothirds=⅔ uacute=ú ubreve=ŭ ucaron=ǔ \
    ucircumflex=û ucyrillic=у udblacute=ű udblgrave=ȕ udieresis=ü udieresisacute=ǘ \
    udieresiscaron=ǚ udieresiscyrillic=ӱ udieresisgrave=ǜ udieresismacron=ǖ ugrave=ù uhorn=ư \
    uhungarumlaut=ű uinvertedbreve=ȗ ukcyrillic=ѹ umacron=ū umacroncyrillic=ӯ underscore=_ \
    underscoredbl=‗ union=∪ universal=∀ uogonek=ų upsilon=υ upsilondieresis=ϋ \
    upsilondieresistonos=ΰ upsilontonos=ύ uptackmod=˔ uring=ů ushortcyrillic=ў ustraightcyrillic=ү \
    utilde=ũ vecyrillic=в venus=♀ verticalbar=| verticallinelowmod=ˌ verticallinemod=ˈ \
    visiblespace=~~ wcircumflex=ŵ weierstrass=℘ whitebullet=◦ whitediamond=◇ \
    whitediamondcontainingblacksmalldiamond=◈ whitedownpointingsmalltriangle=▿ \
    whitedownpointingtriangle=▽ whiteleftpointingsmalltriangle=◃ whiteleftpointingtriangle=◁ \
    whiterightpointingsmalltriangle=▹ whiterightpointingtriangle=▷ whitesmallsquare=▫ \
    whitesmilingface=☺ whitesquare=□ whitestar=☆ whitetelephone=☏ whiteuppointingsmalltriangle=▵ \
    whiteuppointingtriangle=△ won=₩ wynn=ƿ xi=ξ yacute=ý yatcyrillic=ѣ ycircumflex=ŷ ydieresis=ÿ \
    yen=¥ yericyrillic=ы yhook=ƴ yicyrillic=ї yinyang=☯ yotgreek=ϳ yr=Ʀ yusbigcyrillic=ѫ \
    yuslittlecyrillic=ѧ zacute=ź zcaron=ž zdot=ż zdotaccent=ż zecyrillic=з zero=0 zeta=ζ \
    zhebrevecyrillic=ӂ zhecyrillic=ж zstroke=ƶ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_meanings() {
        let table = [
            ("A", "A"),
            ("adieresis", "ä"),
            ("space", " "),
            ("equal", "="),
            ("backslash", "\\"),
            ("quotedbl", "\""),
            ("uni20AC", "€"),
            ("uni00410042", "AB"),
            ("u1F600", "😀"),
            ("f_f_i", "ffi"),
            ("a.sc", "a"),
            ("afii10017", "А"),
            ("alpha", "α"),
            ("emdash", "—"),
            ("asciitilde", "~"),
        ];
        for (name, want) in table {
            assert_eq!(meaning(name).as_deref(), Some(want), "{name}");
        }
        for unknown in ["g17", "cid123", ".notdef", "", "uniXYZW", "qwe", "c_1"] {
            assert_eq!(meaning(unknown), None, "{unknown}");
        }
    }
}
